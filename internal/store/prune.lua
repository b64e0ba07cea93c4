-- Ends a dead worker: settles the job in its record and removes every trace of
-- it, once, however many try. It does nothing for a worker that has been heard
-- since the caller looked, or whose record is another by now.
--
-- KEYS  workers, workers:heartbeat, the worker's record, its started time, its
--       two counters, then each effect's and counter's key
-- ARGV  the worker's id, its heartbeat as the caller saw it ('' for none), then
--       the outcome (see outcome.lua): its guard is the whole record, '' for none
-- returns 1 done, 0 somebody else was first or the worker lives, -1 look again:
--         the record has changed, or an error's text

next_key, next_arg = 7, 3
local guard, effects, from, to = outcome()

if (redis.call('HGET', KEYS[2], ARGV[1]) or '') ~= ARGV[2] then
  return 0
end
if guard == '' then
  if redis.call('EXISTS', KEYS[3]) == 1 then
    return -1
  end
elseif redis.pcall('GETRANGE', KEYS[3], 0, -1) ~= guard then
  return -1
else
  local status = run(effects)
  if status ~= 1 then
    return status
  end
  redis.call('DEL', KEYS[3])
  for k = from, to do
    redis.pcall('INCR', KEYS[k])
  end
end
local known = redis.call('SREM', KEYS[1], ARGV[1])
local heard = redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[4], KEYS[5], KEYS[6])
return (known + heard > 0 or guard ~= '') and 1 or 0
