-- Part of the scripts that finish jobs: it frees the places of limits by key. It follows
-- limit.lua and outcome.lua.

-- FREE held parked, worker: frees the place of a job in a limit. The record of the worker is
-- that of the job, so that no later job has the place.
function named.FREE(keys, args)
  if redis.pcall('HDEL', keys[1], args[1]) == 1 then
    freed_lists[#freed_lists + 1] = keys[2]
  end
end

-- unparked returns the lists in freed_lists that have jobs. Mostly there are none, so it first looks
-- at all lists with one command.
local function unparked()
  local found, lists = 0, {}
  for from = 1, #freed_lists, 4000 do
    found = found + redis.call('EXISTS', unpack(freed_lists, from, math.min(from + 3999, #freed_lists)))
  end
  for i = 1, found > 0 and #freed_lists or 0 do
    local size = redis.pcall('LLEN', freed_lists[i])
    if type(size) == 'number' and size > 0 then
      lists[#lists + 1] = freed_lists[i]
    end
  end
  return lists
end

-- PARK held parked queues queue schedule timestamps delayed
--      concurrency queue payload second item list note:
-- delays a job and notes it, or puts it back into its queue if there is a place now: the
-- place was freed after the job did not get it, and before it was noted.
function named.PARK(keys, args)
  local function all(...)
    for _, command in ipairs({ ... }) do
      local reply = redis.pcall(unpack(command))
      if type(reply) == 'table' and reply.err then
        return reply
      end
    end
  end
  local running = redis.pcall('HLEN', keys[1])
  if type(running) == 'number' and running < tonumber(args[1]) then
    return all({ 'SADD', keys[3], args[2] }, { 'LPUSH', keys[4], args[3] })
  end
  local err = all({ 'ZADD', keys[5], args[4], args[4] }, { 'SADD', keys[6], args[6] }, { 'RPUSH', keys[7], args[5] })
  if not err then -- without the note the job waits until it is due
    redis.pcall('RPUSH', keys[2], args[7])
    redis.pcall('PEXPIRE', keys[2], 86400000)
  end
  return err
end
