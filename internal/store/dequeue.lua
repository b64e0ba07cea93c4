-- Removes the payloads of one class from a part of a queue, in one step. Parts go
-- from the end of the list to its front, because workers take from the front:
-- positions from the end change only with what is pushed.
--
-- KEYS  the queue's list
-- ARGV  the class; a text that no payload is; how many payloads to look at, and
--       after how many found to stop; how many at the end are done with; how
--       many the list had then (-1 at first)
-- returns {how many were removed, how many at the end are done with now, how many
--          the list has now, 1 if the front is reached}

local list, class, mark = KEYS[1], ARGV[1], ARGV[2]
local part, most, done, before = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

-- matches decodes to look only. A payload that is no JSON is of no class.
local function matches(raw)
  if not raw:find(class, 1, true) and not raw:find('\\', 1, true) then
    return false
  end
  local ok, job = pcall(cjson.decode, raw)
  return ok and type(job) == 'table' and job.class == class
end

local length = redis.call('LLEN', list)
if before >= 0 then
  done = done + math.max(length - before, 0) -- pushed meanwhile
end
local at = length - done - 1
local lowest = math.max(at - part + 1, 0)

-- Each payload to remove is marked in its place first: removing by its bytes
-- would look through the list once for each, and find others with the same.
local removed = 0
while at >= lowest and removed < most do
  local first = math.max(at - 999, lowest)
  for i, raw in ipairs(redis.call('LRANGE', list, first, at)) do
    if matches(raw) then
      redis.call('LSET', list, first + i - 1, mark)
      removed = removed + 1
    end
  end
  at = first - 1
end
if removed > 0 then
  redis.call('LREM', list, -removed, mark)
end
return {removed, length - 1 - at - removed, length - removed, at < 0 and 1 or 0}
