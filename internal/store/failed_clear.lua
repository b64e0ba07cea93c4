-- Removes all entries of a list, and keeps them in the trash if there is one.
--
-- KEYS  the list, the trash
-- ARGV  how long the trash is kept in ms (0: no trash)
-- returns how many entries were removed

local n = redis.call('LLEN', KEYS[1])
if n == 0 then
  return 0
end
if tonumber(ARGV[1]) > 0 then
  redis.call('RENAME', KEYS[1], KEYS[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
else
  redis.call('UNLINK', KEYS[1])
end
return n
