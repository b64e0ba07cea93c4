-- Removes seconds without jobs from the sorted set, and adds seconds with jobs to it.
--
-- KEYS  delayed_queue_schedule, then the list of each second
-- ARGV  each second
-- returns {how many seconds were removed, how many were added}

local removed, added = 0, 0
for i, second in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then
    removed = removed + redis.call('ZREM', KEYS[1], second)
  else
    added = added + redis.call('ZADD', KEYS[1], second, second)
  end
end
return {removed, added}
