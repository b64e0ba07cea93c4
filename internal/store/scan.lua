-- Reads the names of some keys, and only the beginning of long names.
--
-- KEYS  the prefix of the keys, which is not a key
-- ARGV  the cursor,
--       a pattern of the names; if it is empty, the prefix or the ending decides,
--       after how many names to stop,
--       how many times to search at most,
--       how many bytes of a name are returned,
--       what the names of keys without the prefix end with that are also returned
-- returns {the next cursor, for each key its name, or {its beginning, its size, ''}}

local prefix = KEYS[1]
local cursor, pattern = ARGV[1], ARGV[2]
local some, searches, beginning = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local ending = ARGV[6]
local out, bytes, count = {cursor}, 0, 10

local function wanted(name)
  return pattern ~= '' or name:sub(1, #prefix) == prefix or name:sub(-#ending) == ending
end

repeat
  local before, part = bytes, nil
  if pattern ~= '' then
    part = redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', count)
  else
    part = redis.call('SCAN', cursor, 'COUNT', count)
  end
  cursor = part[1]
  for _, name in ipairs(part[2]) do
    bytes = bytes + #name
    if wanted(name) then
      out[#out + 1] = #name <= beginning and name or {name:sub(1, beginning), #name, ''}
    end
  end
  searches = searches - count / 10
  -- As long as the names are short, more of them are read at once.
  count = bytes - before <= 200 * count and math.min(2 * count, 80) or 10
until cursor == '0' or #out > some or searches <= 0 or bytes > 1048576
out[1] = cursor
return out
