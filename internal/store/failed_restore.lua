-- Moves entries from the trash back to the front of their list, the last one first,
-- so that they keep their order.
--
-- KEYS  the list, the trash, the set of names: failed_queues or queues
-- ARGV  how many entries to move at most,
--       the name to add to the set, or ''
-- returns how many were moved

local n = 0
while n < tonumber(ARGV[1]) and redis.call('LMOVE', KEYS[2], KEYS[1], 'RIGHT', 'LEFT') do
  n = n + 1
end
if n > 0 and ARGV[2] ~= '' then
  redis.call('SADD', KEYS[3], ARGV[2])
end
return n
