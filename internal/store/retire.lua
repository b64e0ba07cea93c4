-- Unregisters workers that have stopped, except those that have a record.
--
-- KEYS  workers, workers:heartbeat, goresque:intervals, then for each worker:
--       its record, its started time, its two counters
-- ARGV  the id of each worker
-- returns {number, record, …} for each worker (counted from 1) that is still
--         registered, because a late reserve has put a job into its record

local left = {}
local published = redis.call('EXISTS', KEYS[3]) == 1
for i, id in ipairs(ARGV) do
  local at = 4 + 4 * (i - 1)
  local record = redis.call('GET', KEYS[at])
  if record then
    left[#left + 1] = i
    left[#left + 1] = record
  else
    redis.call('SREM', KEYS[1], id)
    redis.call('DEL', KEYS[at + 1], KEYS[at + 2], KEYS[at + 3])
    redis.call('HDEL', KEYS[2], id)
    if published then
      redis.pcall('HDEL', KEYS[3], id)
    end
  end
end
return left
