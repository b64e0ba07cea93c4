-- Removes payloads from a part of a queue, by their bytes, from its end to its front.
--
-- KEYS  the list of the queue, the trash
-- ARGV  a mark, which is a text that is not a payload,
--       how long the trash is kept in ms (0: no trash),
--       after how many removed payloads to stop,
--       the first and the last position of the part,
--       then the payloads to remove
-- returns {how many were removed, the position where the call stopped, the text of an
--         error or '', the number of each removed payload, from 1}

local list, trash, gone = KEYS[1], KEYS[2], ARGV[1]
local ttl, most, first, last = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local function failed(reply)
  return type(reply) == 'table' and reply.err
end

local wanted = {}
for i = 6, #ARGV do
  wanted[ARGV[i]] = i - 5
end

-- A payload to remove is overwritten with the mark. To remove each by its bytes would
-- search the list once for each of them. A full Redis refuses to overwrite but not to
-- remove: then only one payload is removed in a call.
local part = redis.call('LRANGE', list, first, last)
local marked, removed, at, refused = 0, 0, first + #part, nil
local numbers = {}
while at > first and removed < most and not refused do
  local raw = part[at - first]
  if wanted[raw] then
    refused = ttl > 0 and failed(redis.pcall('LPUSH', trash, raw))
    if refused then
      break
    end
    if failed(redis.pcall('LSET', list, at - 1, gone)) then
      removed = removed + redis.call('LREM', list, -1, raw)
      most = 0
    else
      marked, removed = marked + 1, removed + 1
    end
    numbers[#numbers + 1] = wanted[raw]
  end
  at = at - 1
end

if marked > 0 then
  redis.call('LREM', list, last < redis.call('LLEN', list) / 2 and marked or -marked, gone)
end
if ttl > 0 and removed > 0 then
  redis.call('PEXPIRE', trash, ttl)
end
return {removed, at, refused or '', numbers}
