-- Releases the lock of the master, if the caller still holds it.
--
-- KEYS  the lock, the hash that describes the master
-- ARGV  the caller's token
-- returns 1 if the lock is released, 0 if the caller does not hold it

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1], KEYS[2])
return 1
