-- Lists the trashes that can be restored.
--
-- KEYS  the index of the trashes
-- ARGV  the prefix of a trash's key
-- returns for each trash, the latest first, its token, when it was filled (Unix time
--         in ms), how many entries it has, and its time to live in ms

local listed = redis.call('ZREVRANGE', KEYS[1], 0, -1, 'WITHSCORES')
local found = {}
for i = 1, #listed, 2 do
  local key = ARGV[1] .. listed[i]
  local entries = redis.pcall('LLEN', key)
  if type(entries) == 'number' and entries > 0 then
    found[#found + 1] = listed[i]
    found[#found + 1] = listed[i + 1]
    found[#found + 1] = entries
    found[#found + 1] = redis.call('PTTL', key)
  end
end
return found
