-- Prunes a dead worker: finishes the job in its record and removes all its keys. Of
-- several calls, one prunes the worker. It does nothing if the worker's heartbeat or
-- record has changed since the caller read them.
--
-- KEYS  workers, workers:heartbeat, goresque:intervals, the worker's record, its started
--       time, its two counters, the running jobs of the limit of the queue in its record,
--       then the keys of the effects and counters of the outcome
-- ARGV  the worker's id,
--       the heartbeat that the caller has read ('' for none),
--       the outcome (see outcome.lua): its guard is the whole record, '' for none
-- returns 1 if the worker is pruned now, 0 if it is alive or was pruned before, -1 if
--         its record has changed, the text of an error, or the values of the keys of
--         which the outcome expected others. If it is pruned now, and limits by key have
--         places for jobs that wait, it returns {1, the lists of these jobs}

next_key, next_arg = 9, 3
local guard, effects = outcome()

if (redis.call('HGET', KEYS[2], ARGV[1]) or '') ~= ARGV[2] then
  return 0
end
if guard == '' then
  if redis.call('EXISTS', KEYS[4]) == 1 then
    return -1
  end
elseif redis.pcall('GETRANGE', KEYS[4], 0, -1) ~= guard then
  return -1
else
  local status = run(effects, true)
  if status ~= 1 then
    return status
  end
  redis.call('DEL', KEYS[4])
  redis.pcall('HDEL', KEYS[8], ARGV[1])
  local from, to = counters()
  for k = from, to do
    redis.pcall('INCR', KEYS[k])
  end
end
local known = redis.call('SREM', KEYS[1], ARGV[1])
local heard = redis.call('HDEL', KEYS[2], ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.pcall('HDEL', KEYS[3], ARGV[1])
end
redis.call('DEL', KEYS[5], KEYS[6], KEYS[7])
local pruned = (known + heard > 0 or guard ~= '') and 1 or 0
local places = #freed_lists > 0 and unparked() or {}
if #places > 0 then
  return {pruned, places}
end
return pruned
