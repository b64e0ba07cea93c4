-- Reads neighbouring entries of a list, up to a limit of bytes, so that large entries
-- block Redis for a short time only. Entries are read in small parts, because Redis
-- does not report their sizes before.
--
-- KEYS  the list
-- ARGV  the position of the first entry to read (negative: counted from the end),
--       how many entries to read at most,
--       1 to read forward, -1 to read backward,
--       after how many bytes to stop; at least one entry is read,
--       how many bytes of entries are returned whole; -1: all,
--       how many bytes are returned of each other entry
-- returns {length of the list, position of the first entry that was read,
--         for each entry its bytes, or {its beginning, its size, its digest}}

local list, at, left, step = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local bytes, whole, beginning = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

-- Go: store.Digest
local hashed_whole = 1048576
local function digest(raw)
  if #raw > hashed_whole then
    raw = #raw .. raw:sub(1, hashed_whole / 2) .. raw:sub(-hashed_whole / 2)
  end
  return redis.sha1hex(raw)
end

local length = redis.call('LLEN', list)
if at < 0 then
  at = math.max(length + at, 0)
end
if step < 0 then
  at = math.min(at, length - 1)
end
local out = {length, at}

local function add(raw)
  bytes = bytes - #raw
  if whole < 0 or #raw <= beginning or #raw <= whole then
    out[#out + 1] = raw
    whole = whole < 0 and whole or math.max(whole - #raw, 0)
  else
    out[#out + 1] = {raw:sub(1, beginning), #raw, digest(raw)}
  end
  return #raw
end

local n, largest = 1, 1
while left > 0 and at >= 0 and at < length and bytes > 0 do
  n = math.min(n, left, step > 0 and length - at or at + 1)
  local first = step > 0 and at or at - n + 1
  local part = redis.call('LRANGE', list, first, first + n - 1)
  for i = step > 0 and 1 or n, step > 0 and n or 1, step do
    largest = math.max(largest, add(part[i]))
  end
  at, left = at + step * n, left - n
  n = math.min(2 * n, 16, math.max(math.floor(bytes / largest), 1))
end
return out
