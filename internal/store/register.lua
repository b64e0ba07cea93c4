-- Registers worker ids that are not registered, each with a heartbeat and its intervals:
-- a worker without a heartbeat would never be pruned, and one without intervals late.
--
-- KEYS  workers, workers:heartbeat, goresque:intervals, then each worker's started time
-- ARGV  '1' to take also ids that are registered,
--       the heartbeat,
--       the started time,
--       the text of the intervals ('' if they are the default ones),
--       then each worker's id
-- returns for each id 1 if the caller has it now, else 0

local taken = {}
for i = 5, #ARGV do
  local new = redis.call('SADD', KEYS[1], ARGV[i]) == 1 or ARGV[1] == '1'
  if new then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[2])
    redis.call('SET', KEYS[i - 1], ARGV[3])
    if ARGV[4] ~= '' then
      redis.pcall('HSET', KEYS[3], ARGV[i], ARGV[4]) -- a damaged key must not stop registrations
    end
  end
  taken[i - 4] = new and 1 or 0
end
return taken
