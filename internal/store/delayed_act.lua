-- Removes delayed jobs, each only if it is still at its position in the list of its
-- second, and pushes those that are to be performed now to their queues. Jobs that were
-- to be performed again can be recorded as failures instead, and their attempts forgotten.
--
-- KEYS  delayed_queue_schedule, queues, the trash, failed_queues, then for each job the
--       list of its second, the set of the lists that its payload is in, the list of its
--       queue, the list of failures, and the number and the last failure of its attempts
--       (the list of its second again for a key that is not used)
-- ARGV  a mark, which is a text that is not a payload,
--       how long the trash is kept in ms (0: no trash),
--       the length of the keys of the sets before the payload,
--       1 if all copies of each payload in its second are removed by this or later calls,
--       then for each job, in the order of their seconds and positions:
--         its second,
--         the name of the list of its second, without the namespace,
--         its position,
--         the queue to push it to ('' for none),
--         the first and the last byte of the payload, counted from 1, that are not
--         part of the job in its queue,
--         the record of its failure ('' for none),
--         the name of the list of failures, if it is that of a queue, otherwise ''
-- returns a status for each job: 1 if it is done, 0 if it is no longer at its position,
--         or the text of an error

local schedule, queues, trash, failed_queues = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local gone, ttl, prefix, all = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'

-- To search a long list for another copy takes long.
local searched_always = 5000

local function failed(reply)
  return type(reply) == 'table' and reply.err
end

-- The list of the current second, how many of its jobs were overwritten with the mark,
-- how many were taken from its front, and whether it was long at first.
local list, second, overwritten, moved, long

local function leave()
  if not list then
    return
  end
  if overwritten > 0 then
    redis.call('LREM', list, overwritten, gone)
  end
  if redis.call('EXISTS', list) == 0 then
    redis.pcall('ZREM', schedule, second)
  end
end

local function enter(new_list, new_second)
  if new_list == list then
    return
  end
  leave()
  list, second, overwritten, moved = new_list, new_second, 0, 0
  long = redis.call('LLEN', list) > searched_always
end

-- remove removes the job at a position. The first one is popped, which needs no search.
-- Any other is overwritten with the mark, and all marks are removed at the end in one
-- search. A full Redis refuses to overwrite but not to remove: then the first copy is
-- removed, and the jobs behind it move up.
local function remove(position, payload)
  if position == moved then
    redis.call('LPOP', list)
    moved = moved + 1
  elseif failed(redis.pcall('LSET', list, position - moved, gone)) then
    moved = moved + redis.call('LREM', list, 1, payload)
  else
    overwritten = overwritten + 1
  end
end

local function act(key, arg)
  local locations, payload = KEYS[key + 1], KEYS[key + 1]:sub(prefix + 1)
  local position, queue = tonumber(ARGV[arg + 2]), ARGV[arg + 3]
  local record, failure_list = ARGV[arg + 6], ARGV[arg + 7]
  if redis.call('LINDEX', list, position - moved) ~= payload then
    return 0
  end
  local err
  if queue ~= '' then
    local job = payload:sub(1, tonumber(ARGV[arg + 4]) - 1) .. payload:sub(tonumber(ARGV[arg + 5]) + 1)
    err = failed(redis.pcall('SADD', queues, queue)) or failed(redis.pcall('RPUSH', KEYS[key + 2], job))
  elseif record ~= '' then
    err = failure_list ~= '' and failed(redis.pcall('SADD', failed_queues, failure_list))
      or failed(redis.pcall('RPUSH', KEYS[key + 3], record))
  elseif ttl > 0 then
    err = failed(redis.pcall('RPUSH', trash, second .. ' ' .. payload))
  end
  if err then
    return err
  end
  remove(position, payload)
  if all and long or not redis.call('LPOS', list, payload) then
    redis.pcall('SREM', locations, ARGV[arg + 1])
  end
  if KEYS[key + 4] ~= list then
    redis.call('DEL', KEYS[key + 4], KEYS[key + 5])
  end
  return 1
end

local statuses = {}
for i = 1, (#KEYS - 4) / 6 do
  local key, arg = 6 * i - 1, 8 * i - 3
  enter(KEYS[key], ARGV[arg])
  statuses[i] = act(key, arg)
end
leave()
if ttl > 0 then
  redis.pcall('PEXPIRE', trash, ttl)
end
return statuses
