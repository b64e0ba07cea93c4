-- Removes a worker's heartbeat if it still has the text that the caller has read.
--
-- KEYS  workers:heartbeat
-- ARGV  the worker's id, the text
-- returns 1 if it was removed, else 0

if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  return redis.call('HDEL', KEYS[1], ARGV[1])
end
return 0
