-- Reads strings, and only the beginning of large ones.
--
-- KEYS  any keys
-- ARGV  how many bytes of strings are returned whole,
--       how many bytes are returned of each other string
-- returns for each key its value, or {its beginning, its size, ''}, or false if it does
--         not exist or is not a string

local whole, beginning = tonumber(ARGV[1]), tonumber(ARGV[2])
local out = {}
for i, key in ipairs(KEYS) do
  local size = redis.pcall('STRLEN', key)
  if type(size) ~= 'number' then
    out[i] = false
  elseif size <= beginning or size <= whole then
    out[i] = redis.call('GET', key)
    whole = math.max(whole - size, 0)
  else
    out[i] = {redis.call('GETRANGE', key, 0, beginning - 1), size, ''}
  end
end
return out
