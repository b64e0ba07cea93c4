-- Notes in the hash of a limit which jobs run: those that began before the limit was set.
-- The caller has read the guards before.
--
-- KEYS  the hash of running jobs, then the record of each worker
-- ARGV  the id and the guard of each worker

for i = 1, #ARGV / 2 do
  local id, guard = ARGV[2 * i - 1], ARGV[2 * i]
  if redis.pcall('GETRANGE', KEYS[i + 1], 0, #guard - 1) == guard then
    redis.call('HSET', KEYS[1], id, guard)
  end
end
