-- Moves entries from the trash back to the front of their list, the last one first,
-- so that they keep their order.
--
-- KEYS  the list, the trash, the set of names: failed_queues or queues
-- ARGV  how many entries to move at most,
--       the name to add to the set, or '',
--       after how many bytes to stop
-- returns {how many were moved, how many are left in the trash}. If a key has another type,
--         nothing is changed and an error is returned

for i, want in ipairs({'list', 'list', ARGV[2] ~= '' and 'set' or nil}) do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= want and kind ~= 'none' then
    return redis.error_reply('WRONGTYPE the key ' .. KEYS[i] .. ' is a ' .. kind .. ', not a ' .. want)
  end
end
local n, bytes = 0, tonumber(ARGV[3])
while n < tonumber(ARGV[1]) and bytes > 0 do
  local entry = redis.call('LMOVE', KEYS[2], KEYS[1], 'RIGHT', 'LEFT')
  if not entry then
    break
  end
  n, bytes = n + 1, bytes - #entry
end
if n > 0 and ARGV[2] ~= '' then
  redis.call('SADD', KEYS[3], ARGV[2])
end
return {n, redis.call('LLEN', KEYS[2])}
