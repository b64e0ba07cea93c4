-- Moves delayed jobs from the trash back to their seconds. The caller has read the
-- trash.
--
-- KEYS  the trash, delayed_queue_schedule, then for each job the list of its second and
--       the set of the lists that its payload is in
-- ARGV  the length of the keys of the sets before the payload, then for each job its
--       second and the name of the list of its second, without the namespace
-- returns how many jobs were moved; fewer than given if the trash has other entries now. If
--         a key has another type, nothing is changed and an error is returned

local trash, schedule = KEYS[1], KEYS[2]
local prefix = tonumber(ARGV[1])
local n = (#KEYS - 2) / 2
for i = 1, #KEYS do
  local want = i == 2 and 'zset' or i > 2 and i % 2 == 0 and 'set' or 'list'
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= want and kind ~= 'none' then
    return redis.error_reply('WRONGTYPE the key ' .. KEYS[i] .. ' is a ' .. kind .. ', not a ' .. want)
  end
end
for i = 1, n do
  local list, locations, second = KEYS[2 * i + 1], KEYS[2 * i + 2], ARGV[2 * i]
  local payload = locations:sub(prefix + 1)
  if redis.call('LINDEX', trash, 0) ~= second .. ' ' .. payload then
    return i - 1
  end
  redis.call('ZADD', schedule, second, second)
  redis.call('SADD', locations, ARGV[2 * i + 1])
  redis.call('RPUSH', list, payload)
  redis.call('LPOP', trash)
end
return n
