-- Registers worker ids that nobody else has, each with a heartbeat: a
-- registration without one is never pruned.
--
-- KEYS  workers, workers:heartbeat, then each worker's started time
-- ARGV  '1' to take ids that are registered, too; the heartbeat; the started
--       time; then each worker's id
-- returns {1 or 0, …}: whether each id is the caller's now

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
