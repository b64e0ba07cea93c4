-- Registers worker ids that are not registered, each with a heartbeat: a worker without
-- a heartbeat would never be pruned.
--
-- KEYS  workers, workers:heartbeat, then each worker's started time
-- ARGV  '1' to take also ids that are registered,
--       the heartbeat,
--       the started time,
--       then each worker's id
-- returns for each id 1 if the caller has it now, else 0

local taken = {}
for i = 4, #ARGV do
  local new = redis.call('SADD', KEYS[1], ARGV[i]) == 1 or ARGV[1] == '1'
  if new then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[2])
    redis.call('SET', KEYS[i - 1], ARGV[3])
  end
  taken[i - 3] = new and 1 or 0
end
return taken
