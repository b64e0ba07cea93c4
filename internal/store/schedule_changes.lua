-- Takes the names of the entries that have changed, if the caller is the master.
--
-- KEYS  the lock of the master, schedules_changed, persistent_schedules
-- ARGV  the caller's token
-- returns '' or the token of the master, if that is not the caller; otherwise the names,
--         each followed by its configuration, or by '' if the entry was removed

local lock, changed, persistent = KEYS[1], KEYS[2], KEYS[3]

local holder = redis.call('GET', lock)
if holder ~= ARGV[1] then
  return holder or ''
end
local reply = {}
for _, name in ipairs(redis.call('SMEMBERS', changed)) do
  reply[#reply + 1] = name
  reply[#reply + 1] = redis.call('HGET', persistent, name) or ''
end
if #reply > 0 then
  redis.call('DEL', changed)
end
return reply
