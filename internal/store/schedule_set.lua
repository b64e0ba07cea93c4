-- Stores a persistent entry and tells the master. If the entry has changed, it does not
-- fire for times before now.
--
-- KEYS  persistent_schedules, schedules_changed, goresque:schedule:slots
-- ARGV  the name, the configuration
-- returns 1 if the entry is new, 2 if it has changed, 0 if it is the same as before

local persistent, changed, slots = KEYS[1], KEYS[2], KEYS[3]
local name, config = ARGV[1], ARGV[2]

local old = redis.call('HGET', persistent, name)
redis.call('HSET', persistent, name, config)
redis.call('SADD', changed, name)
if old == config then
  return 0
end
local slot = tonumber(redis.call('HGET', slots, name) or '')
local now = redis.call('TIME')[1]
if slot and slot < tonumber(now) then
  redis.call('HSET', slots, name, now)
end
return old and 2 or 1
