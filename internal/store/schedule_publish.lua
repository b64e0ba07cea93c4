-- Shows which entries the master runs, if the caller is the master.
--
-- KEYS  the lock of the master, goresque:schedule
-- ARGV  the caller's token,
--       1 if the entries that it shows already are to be removed, otherwise 0,
--       for how many seconds the key is kept,
--       then names, each followed by its description, '' to remove it
-- returns 1, or '' or the token of the master, if that is not the caller

local lock, schedule = KEYS[1], KEYS[2]

local holder = redis.call('GET', lock)
if holder ~= ARGV[1] then
  return holder or ''
end
if ARGV[2] == '1' then
  redis.call('DEL', schedule)
end
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', schedule, ARGV[i])
  else
    redis.call('HSET', schedule, ARGV[i], ARGV[i + 1])
  end
end
redis.call('EXPIRE', schedule, ARGV[3])
return 1
