-- Gives a lock back, if it is still the caller's.
--
-- KEYS  the lock
-- ARGV  what the caller wrote into it
-- returns 1 given back, 0 it was another's

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
