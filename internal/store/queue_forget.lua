-- Makes a queue unknown, if it is empty: a job that came meanwhile would not be
-- found by workers of all queues.
--
-- KEYS  the queue, queues
-- ARGV  its name
-- returns 1 if it is unknown now, else 0

if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
redis.call('SREM', KEYS[2], ARGV[1])
return 1
