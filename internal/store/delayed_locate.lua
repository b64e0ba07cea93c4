-- Adds the list of a second to the sets that name the lists of a payload, for jobs that are
-- still at their positions.
--
-- KEYS  the list of the second, then for each job the set of the lists that its payload is in
-- ARGV  the position of the first job,
--       the length of the keys of the sets before the payload,
--       the name of the list, without the namespace,
--       1 to change nothing
-- returns how many sets did not have the list

local first, prefix, name, dry = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'
local missing = 0
for i = 2, #KEYS do
  local set = KEYS[i]
  if redis.call('LINDEX', KEYS[1], first + i - 2) == set:sub(prefix + 1) then
    local has = redis.pcall('SISMEMBER', set, name)
    if has == 0 then
      missing = missing + 1
      if not dry then
        redis.call('SADD', set, name)
      end
    end
  end
end
return missing
