-- Removes the failures that were retried from a part of a list. It looks only at the
-- end of a record, because Ruby and Go write retried_at as the last member. No record
-- is sent to the caller.
--
-- KEYS  the list, the trash
-- ARGV  a mark, which is a text that is not a record,
--       how long the trash is kept in ms (0: no trash),
--       the position of the first record to look at,
--       how many records to look at,
--       how many to remove at most,
--       after how many bytes of records to stop
-- returns {how many were removed, how many were looked at and left}

local list, trash = KEYS[1], KEYS[2]
local gone, ttl = ARGV[1], tonumber(ARGV[2])
local first, looks, most, bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local pattern = '^,"retried_at":"%d%d%d%d/%d%d/%d%d %d%d:%d%d:%d%d %u+"}$'
local longest = 64

local function retried(raw)
  if raw:byte(1) ~= 123 then -- {
    return false
  end
  local tail = raw:sub(-longest)
  local from = tail:find(',"retried_at":', 1, true)
  return from and tail:find(pattern, from) ~= nil
end

local function failed(reply)
  return type(reply) == 'table' and reply.err
end

-- take moves the record at a position from the list to the trash. It returns false if
-- Redis refuses that.
local function take(raw, position)
  if position == 0 then
    return not failed(ttl > 0 and redis.pcall('LMOVE', list, trash, 'LEFT', 'RIGHT') or redis.pcall('LPOP', list))
  end
  if ttl > 0 and failed(redis.pcall('RPUSH', trash, raw)) then
    return false
  end
  return not failed(redis.pcall('LSET', list, position, gone))
end

local removed, overwritten, kept = 0, 0, 0

-- examine looks at a record, which is the first of those not examined so far.
local function examine(raw)
  local position = first + kept + overwritten
  if retried(raw) and take(raw, position) then
    removed = removed + 1
    overwritten = overwritten + (position > 0 and 1 or 0)
  else
    kept = kept + 1
  end
end

-- The records are read in small parts, because they may be large. Those that were
-- removed from the front are no longer in front of the next part.
local n = 1
while looks > 0 and bytes > 0 and removed < most do
  local at = first + kept + overwritten
  local part = redis.call('LRANGE', list, at, at + math.min(n, looks, most - removed) - 1)
  for _, raw in ipairs(part) do
    examine(raw)
    bytes = bytes - #raw
  end
  looks = looks - #part
  if #part == 0 then
    break
  end
  n = math.min(2 * n, 16)
end
if overwritten > 0 then
  redis.call('LREM', list, first < redis.call('LLEN', list) / 2 and overwritten or -overwritten, gone)
end
if ttl > 0 and removed > 0 then
  redis.call('PEXPIRE', trash, ttl)
end
return {removed, kept}
