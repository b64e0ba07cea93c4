-- Moves failures from the trash back to the front of their list, the newest
-- first, so that they stand there in the order they had.
--
-- KEYS  the list, the trash, failed_queues
-- ARGV  how many at most, the list's name if it is to be known as a list of
--       failures, else ''
-- returns how many were moved

local n = 0
while n < tonumber(ARGV[1]) and redis.call('LMOVE', KEYS[2], KEYS[1], 'RIGHT', 'LEFT') do
  n = n + 1
end
if n > 0 and ARGV[2] ~= '' then
  redis.call('SADD', KEYS[3], ARGV[2])
end
return n
