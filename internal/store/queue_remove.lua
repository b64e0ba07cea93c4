-- Takes jobs out of a queue, to the trash or to another queue, each only if it
-- is still there. One of several with the same bytes is as good as another.
--
-- KEYS  the queue, where to (the trash's list or the other queue), queues
-- ARGV  how long the trash is kept in ms (0: there is none; -1: it is a queue),
--       the other queue's name or '', then each job's bytes
-- returns for each job 1 if it was taken out, else 0

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
