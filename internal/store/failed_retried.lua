-- Removes the failures among some of a list that were retried, as far as their bytes
-- tell without being read: Ruby and Go alike write the time as the last member of the
-- record. Nothing of them goes over the wire.
--
-- KEYS  the list, the trash
-- ARGV  a word that no record is, how long the trash is kept in ms (0: there is none),
--       the position of the first, how many to look at, how many to remove at most
-- returns how many were removed and how many of the rest were looked at

local list, trash = KEYS[1], KEYS[2]
local gone, ttl = ARGV[1], tonumber(ARGV[2])
local first, looks, most = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

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

-- take has the record that stands at a position in the trash, and not in the list.
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
for _, raw in ipairs(redis.call('LRANGE', list, first, first + looks - 1)) do
  if removed == most then
    break
  end
  local position = first + kept + overwritten
  if retried(raw) and take(raw, position) then
    removed = removed + 1
    overwritten = overwritten + (position > 0 and 1 or 0)
  else
    kept = kept + 1
  end
end
if overwritten > 0 then
  redis.call('LREM', list, first < redis.call('LLEN', list) / 2 and overwritten or -overwritten, gone)
end
if ttl > 0 and removed > 0 then
  redis.call('PEXPIRE', trash, ttl)
end
return {removed, kept}
