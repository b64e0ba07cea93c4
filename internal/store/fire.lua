-- Fires recurring entries, if the caller is the master. Each entry fires once for each
-- scheduled time, whatever masters do: its slot, the last time at which it fired, must be
-- before the scheduled time.
--
-- KEYS  the lock of the master, goresque:schedule:slots, goresque:schedule:off,
--       queues, delayed:last_enqueued_at,
--       then for each entry the list of its queue and the keys of its effects
-- ARGV  the caller's token,
--       the time as delayed:last_enqueued_at has it,
--       then for each entry:
--         its name, the scheduled time in seconds,
--         the name of its queue, '' if it only uses up the time,
--         the payload,
--         the number of its effects, then for each effect the command, the number of
--         its arguments and the arguments: see push.lua
-- returns '' or the token of the master, if that is not the caller; otherwise for each
--         entry: 1 fired, 2 used up the time, 3 is switched off, 4 has fired before,
--         5 has no slot, 6 another job holds its lock, so that the time is used up, or
--         the text of an error: the key of the queue is not a list, or one of a lock not
--         a string

local lock, slots, off, queues, enqueued = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local token, now = ARGV[1], ARGV[2]

local holder = redis.call('GET', lock)
if holder ~= token then
  return holder or ''
end

-- take runs effects. It returns nil, or 'held' or the text of an error: then no lock is
-- taken.
local function take(effects)
  local taken, problem = {}, nil
  for _, e in ipairs(effects) do
    if e.command == 'LOCK' then
      problem = locks.take(e.key, 0, e[1], e[2], e[3])
      taken[#taken + 1] = not problem and e.key or nil
    elseif e.command == 'UNLOCKED' then
      local held, err = locks.held(e.key, e[1], '')
      problem = err and err.err or held and 'held' or nil
    else
      local err = fault(redis.pcall(e.command, e.key, unpack(e)))
      problem = err and err.err
    end
    if problem then
      break
    end
  end
  for _, k in ipairs(problem and taken or {}) do
    redis.call('DEL', k)
  end
  return problem
end

local function fire(name, time, queue, payload, list, effects)
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
      local problem = take(effects)
      result = problem == 'held' and 6 or problem or 1
    end
    if result == 1 then
      redis.call('SADD', queues, queue)
      redis.call('RPUSH', list, payload)
      redis.call('HSET', enqueued, name, now)
    end
  end
  redis.call('HSET', slots, name, time)
  return result
end

local results = {}
local next_key, next_arg = 6, 3

local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end

local function key()
  next_key = next_key + 1
  return KEYS[next_key - 1]
end

while next_key <= #KEYS do
  local list, name, time, queue, payload = key(), arg(), arg(), arg(), arg()
  local effects = {}
  for n = 1, tonumber(arg()) do
    local e = {command = arg(), key = key()}
    for k = 1, tonumber(arg()) do
      e[k] = arg()
    end
    effects[n] = e
  end
  results[#results + 1] = fire(name, time, queue, payload, list, effects)
end
return results
