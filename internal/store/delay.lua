-- Delays jobs until their seconds. A job whose second has come goes to its queue
-- instead. Redis's clock decides.
--
-- KEYS  delayed_queue_schedule, queues,
--       then for each job the list of its second, the set of the lists that its
--       payload is in, and the list of its queue
-- ARGV  the length of the keys of those sets before the payload,
--       then for each job:
--         its second,
--         the name of the list of its second, without the namespace,
--         the name of its queue,
--         the first and the last byte of the payload, counted from 1, that are not
--         part of the job in its queue
-- returns for each job 1 if it is delayed, 0 if it is in its queue, or the text of an
--         error: then it is neither
--
-- The payload is sent once, at the end of the set's key. The set and the sorted set
-- are written before the list, so that an error between them leaves no job that
-- cannot be found.

local schedule, queues = KEYS[1], KEYS[2]
local prefix = tonumber(ARGV[1])
local now = tonumber(redis.call('TIME')[1])

-- What was written for earlier jobs.
local scheduled, known = {}, {}

local function failed(reply)
  return type(reply) == 'table' and reply.err
end

-- once runs a command that adds name to a key, unless it is done.
local function once(done, name, ...)
  if done[name] then
    return nil
  end
  local err = failed(redis.pcall(...))
  done[name] = not err
  return err
end

local function delay(second, name, list, locations, payload)
  local err = once(scheduled, second, 'ZADD', schedule, second, second)
  if err then
    return err
  end
  local added = redis.pcall('SADD', locations, name)
  if failed(added) then
    return added.err
  end
  err = failed(redis.pcall('RPUSH', list, payload))
  if err and added == 1 then
    redis.call('SREM', locations, name)
  end
  return err or 1
end

local function push(queue, list, payload)
  return once(known, queue, 'SADD', queues, queue) or failed(redis.pcall('RPUSH', list, payload)) or 0
end

local statuses = {}
for i = 1, (#KEYS - 2) / 3 do
  local list, locations, queue_list = KEYS[3 * i], KEYS[3 * i + 1], KEYS[3 * i + 2]
  local at = 5 * i - 3
  local payload = locations:sub(prefix + 1)
  if tonumber(ARGV[at]) > now then
    statuses[i] = delay(ARGV[at], ARGV[at + 1], list, locations, payload)
  else
    payload = payload:sub(1, tonumber(ARGV[at + 3]) - 1) .. payload:sub(tonumber(ARGV[at + 4]) + 1)
    statuses[i] = push(ARGV[at + 2], queue_list, payload)
  end
end
return statuses
