-- Writes the heartbeats of workers, and their intervals. It registers workers again
-- that are no longer registered: they were pruned while their process was stopped, or
-- the database was flushed.
--
-- KEYS  workers, workers:heartbeat, goresque:intervals, then each worker's started time
-- ARGV  the heartbeat, the started time for workers that are registered again, the
--       text of the intervals ('' if they are the default ones), then each worker's id
-- returns how many were registered again

local again = 0
for i = 4, #ARGV do
  if redis.call('SADD', KEYS[1], ARGV[i]) == 1 then
    redis.call('SET', KEYS[i], ARGV[2])
    again = again + 1
  end
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[1])
  if ARGV[3] ~= '' then
    redis.pcall('HSET', KEYS[3], ARGV[i], ARGV[3]) -- a damaged key must not stop heartbeats
  end
end
return again
