-- Moves jobs from a queue to the trash or to another queue, each only if it is still
-- there. Of several jobs with the same bytes, the first is moved.
--
-- KEYS  the list of the queue, the trash or the list of the other queue, queues
-- ARGV  how long the trash is kept in ms (0: no trash; -1: the second key is a queue),
--       the name of the other queue or '',
--       then the bytes of each job
-- returns for each job 1 if it was moved or removed, else 0

local keep = tonumber(ARGV[1])
local taken, any = {}, false
for i = 3, #ARGV do
  taken[i - 2] = redis.call('LREM', KEYS[1], 1, ARGV[i])
  if taken[i - 2] == 1 and keep ~= 0 then
    redis.call('RPUSH', KEYS[2], ARGV[i])
    any = true
  end
end
if any and keep > 0 then
  redis.call('PEXPIRE', KEYS[2], keep)
elseif any then
  redis.call('SADD', KEYS[3], ARGV[2])
end
return taken
