-- Frees places of a limit that are held for jobs which no longer run: the record of the
-- worker does not begin with the guard. The caller has read the guards before.
--
-- KEYS  the hash of running jobs, then the record of each worker
-- ARGV  the id and the guard of each worker
-- returns how many places are freed

local freed = 0
for i = 1, #ARGV / 2 do
  local id, guard = ARGV[2 * i - 1], ARGV[2 * i]
  if redis.pcall('GETRANGE', KEYS[i + 1], 0, #guard - 1) ~= guard and redis.call('HGET', KEYS[1], id) == guard then
    freed = freed + redis.call('HDEL', KEYS[1], id)
  end
end
return freed
