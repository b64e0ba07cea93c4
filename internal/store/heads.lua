-- Reads the first entries of lists, and only the beginning of large ones.
--
-- KEYS  any lists
-- ARGV  how many bytes of entries are returned whole,
--       how many bytes are returned of each other entry,
--       after how many bytes the entries of the remaining lists are not read
-- returns for each key its first entry, or {its beginning, its size, ''}, or false if
--         the list is empty or was not read, or the key is not a list

local whole, beginning, left = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local out = {}
for i, key in ipairs(KEYS) do
  local head = left > 0 and redis.pcall('LINDEX', key, 0)
  out[i] = false
  if type(head) == 'string' then
    left = left - #head
    if #head <= beginning or #head <= whole then
      out[i] = head
      whole = math.max(whole - #head, 0)
    else
      out[i] = {head:sub(1, beginning), #head, ''}
    end
  end
end
return out
