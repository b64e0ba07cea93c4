-- Removes the payloads of one class from a part of a queue, in one step. The caller
-- proceeds from the end of the list to its front. Workers take jobs from the front,
-- so positions counted from the end change only when jobs are pushed.
--
-- KEYS  the list of the queue
-- ARGV  the class,
--       a mark, which is a text that is not a payload,
--       how many payloads to look at,
--       after how many removed payloads to stop,
--       how many payloads at the end earlier calls have looked at and left,
--       the length of the list after the last call, -1 in the first
-- returns {how many were removed, how many at the end are done now, the length of
--          the list now, 1 if the front is reached}

local list, class, mark = KEYS[1], ARGV[1], ARGV[2]
local part, most, done, before = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

-- matches reports whether a payload is of the class. It decodes the payload only to
-- look at it. A payload that is not JSON has no class.
local function matches(raw)
  if not raw:find(class, 1, true) and not raw:find('\\', 1, true) then
    return false
  end
  local ok, job = pcall(cjson.decode, raw)
  return ok and type(job) == 'table' and job.class == class
end

local length = redis.call('LLEN', list)
if before >= 0 then
  done = done + math.max(length - before, 0) -- pushed since the last call
end
local at = length - done - 1
local lowest = math.max(at - part + 1, 0)

-- Each payload to remove is first overwritten with the mark. To remove it by its
-- bytes would search the list once for each payload, and could remove an equal one
-- elsewhere.
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
