-- Restores jobs from the trash to their queue or their seconds, with their locks. The caller
-- has read the trash. A job whose lock another job holds goes to the other end of the trash.
--
-- KEYS  the trash, delayed_queue_schedule, queues,
--       then for each job the list to which it returns, and the set of the lists that its
--       payload is in (the list again if it returns to a queue),
--       and for each of its locks the key and that of the set of such locks (the key again
--       if there is none)
-- ARGV  RIGHT if the last entry of the trash comes first, and returns to the front of its
--       queue, or LEFT if the first one does, and returns to the end of its second,
--       the name of the queue,
--       then for each job:
--         the entry of the trash,
--         the length of what precedes the payload in it,
--         its second, and the name of the list of its second, without the namespace,
--         the number of its locks, and for each lock its form, its value, how many
--         milliseconds it lives after the job is due, and its name in the set
-- returns for each job 1 if it is restored, 0 if its lock is held; fewer than given if the
--         trash has other entries now

local trash, schedule, queues = KEYS[1], KEYS[2], KEYS[3]
local from, queue = ARGV[1], ARGV[2]
local position, other = from == 'RIGHT' and -1 or 0, from == 'RIGHT' and 'LEFT' or 'RIGHT'
local next_key, next_arg = 4, 3

local function key()
  next_key = next_key + 1
  return KEYS[next_key - 1]
end

local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end

-- take takes the locks of a job that waits. It returns nil, or 'held' or the text of an
-- error: then it has taken none.
local function take(wait)
  local taken, problem = {}, nil
  for _ = 1, tonumber(arg()) do
    local keys = {key(), key()}
    local form, value, ttl, member = arg(), arg(), arg(), arg()
    problem = problem or locks.take(keys[1], wait, form, value, ttl)
    if not problem then
      taken[#taken + 1] = {keys, member}
      locks.list(keys, member)
    end
  end
  for _, lock in ipairs(problem and taken or {}) do
    locks.free(lock[1], lock[2])
  end
  return problem
end

local results = {}
while next_key <= #KEYS do
  local list, locations = key(), key()
  local entry, before, second, name = arg(), tonumber(arg()), arg(), arg()
  if redis.call('LINDEX', trash, position) ~= entry then
    return results
  end
  local kind = redis.call('TYPE', list).ok
  if kind ~= 'list' and kind ~= 'none' then -- before its locks are taken
    return redis.error_reply('WRONGTYPE the list to which a job returns is not a list')
  end
  local wait = math.max((tonumber(second) or 0) - locks.seconds(), 0)
  local problem = take(wait)
  if problem == 'held' then
    redis.call('LMOVE', trash, trash, from, other)
    results[#results + 1] = 0
  elseif problem then
    return redis.error_reply(problem)
  else
    local payload = entry:sub(before + 1)
    if from == 'RIGHT' then
      redis.call('SADD', queues, queue)
      redis.call('LPUSH', list, payload)
      redis.call('RPOP', trash)
    else
      redis.call('ZADD', schedule, second, second)
      redis.call('SADD', locations, name)
      redis.call('RPUSH', list, payload)
      redis.call('LPOP', trash)
    end
    results[#results + 1] = 1
  end
end
return results
