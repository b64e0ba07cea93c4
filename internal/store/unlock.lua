-- Frees locks that have the texts that the caller has read.
--
-- KEYS  for each lock its key and that of the set of such locks, or its key again
-- ARGV  for each lock its text and its name in the set
-- returns how many locks were freed

local freed = 0
for i = 1, #KEYS, 2 do
  if ARGV[i] ~= '' and redis.pcall('GET', KEYS[i]) == ARGV[i] then
    freed = freed + redis.call('DEL', KEYS[i])
    if KEYS[i + 1] ~= KEYS[i] then
      redis.pcall('SREM', KEYS[i + 1], ARGV[i + 1])
    end
  end
end
return freed
