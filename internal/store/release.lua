-- Releases a lock, if the caller still holds it.
--
-- KEYS  the lock
-- ARGV  the text that the caller wrote into it
-- returns 1 if the lock is released, 0 if the caller does not hold it

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
