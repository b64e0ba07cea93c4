-- Removes a persistent entry and what is known about it, and tells the master.
--
-- KEYS  persistent_schedules, schedules_changed, goresque:schedule:slots,
--       goresque:schedule:off, goresque:schedule
-- ARGV  the name
-- returns 1 if the entry was there, otherwise 0

local persistent, changed, slots, off, schedule = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local name = ARGV[1]

if redis.call('HDEL', persistent, name) == 0 then
  return 0
end
redis.call('SADD', changed, name)
redis.call('HDEL', slots, name)
redis.call('SREM', off, name)
redis.call('HDEL', schedule, name)
return 1
