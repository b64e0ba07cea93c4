-- Fires recurring entries, if the caller is the master. Each entry fires once for each
-- scheduled time, whatever masters do: its slot, the last time at which it fired, must be
-- before the scheduled time.
--
-- KEYS  the lock of the master, goresque:schedule:slots, goresque:schedule:off,
--       queues, delayed:last_enqueued_at,
--       then for each entry the list of its queue
-- ARGV  the caller's token,
--       the time as delayed:last_enqueued_at has it,
--       then for each entry:
--         its name, the scheduled time in seconds,
--         the name of its queue, '' if it only uses up the time,
--         the payload
-- returns '' or the token of the master, if that is not the caller; otherwise for each
--         entry: 1 fired, 2 used up the time, 3 is switched off, 4 has fired before,
--         5 has no slot, or the text of an error: the key of the queue is not a list

local lock, slots, off, queues, enqueued = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local token, now = ARGV[1], ARGV[2]

local holder = redis.call('GET', lock)
if holder ~= token then
  return holder or ''
end

local function fire(name, time, queue, payload, list)
  local slot = redis.call('HGET', slots, name)
  if not slot then
    return 5
  end
  if (tonumber(slot) or 0) >= tonumber(time) then
    return 4
  end
  local result = 1
  if redis.call('SISMEMBER', off, name) == 1 then
    result = 3
  elseif queue == '' then
    result = 2
  else
    local kind = redis.call('TYPE', list).ok
    if kind ~= 'list' and kind ~= 'none' then
      result = 'the key of queue ' .. queue .. ' is not a list'
    else
      redis.call('SADD', queues, queue)
      redis.call('RPUSH', list, payload)
      redis.call('HSET', enqueued, name, now)
    end
  end
  redis.call('HSET', slots, name, time)
  return result
end

local results = {}
for i = 6, #KEYS do
  local at = 3 + (i - 6) * 4
  results[i - 5] = fire(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], KEYS[i])
end
return results
