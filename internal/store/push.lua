-- Pushes or delays jobs whose classes have policies: a policy takes a lock, or writes
-- something else, in the step in which the job is pushed. If a lock is held by another
-- job, the job is refused and nothing of it is written. Redis's clock decides.
--
-- KEYS  delayed_queue_schedule, queues,
--       then for each job, unless its kind is SAME, the list of its queue; if its kind is
--       DELAY, the list of its second and the set of the lists that its payload is in;
--       and the keys of its effects
-- ARGV  for each job:
--         its kind: RPUSH or LPUSH, the command that adds it to its queue; SAME, which is
--         RPUSH to the queue of the job before it; or DELAY,
--         unless its kind is SAME, the name of its queue,
--         if its kind is DELAY: its second, the name of the list of its second, without
--         the namespace, the first and the last byte of the payload, counted from 1, that
--         are not part of the job in its queue, and the command that adds it to its queue
--         if it is due already,
--         its payload,
--         the number of its effects, then for each effect the command, the number of
--         its arguments and the arguments
-- returns for each job 1 if it is delayed, 0 if it is in its queue, -1 if it is refused,
--         or {the position of a key, the text of an error}: then it is none of these
--
-- Effects come before the job, in their order: any command of Redis, or
--       LOCK form value ttl   takes a lock for ttl milliseconds after the job is due. value
--                             is its text, or a number of seconds that are added
--       UNLOCKED form         only looks: the job is refused if the lock is held
-- For form see lock.lua.

local schedule, queues = KEYS[1], KEYS[2]
local next_key, next_arg = 3, 1

local function key()
  next_key = next_key + 1
  return next_key - 1
end

local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end

local known = {} -- the queues that were added for earlier jobs

-- effects runs the effects of a job that waits until it is due. It returns nil, or
-- 'held' or the text of an error, and the position of the key; and the locks that it has
-- taken.
local function effects(wait)
  local taken, problem, at = {}, nil, nil
  for _ = 1, tonumber(arg()) do
    local command, k, count = arg(), key(), tonumber(arg())
    local from = next_arg
    next_arg = from + count
    if not problem then
      if command == 'LOCK' then
        problem = locks.take(KEYS[k], wait, ARGV[from], ARGV[from + 1], ARGV[from + 2])
        taken[#taken + 1] = not problem and KEYS[k] or nil
      elseif command == 'UNLOCKED' then
        local held, err = locks.held(KEYS[k], ARGV[from], '')
        problem = err and err.err or held and 'held' or nil
      else
        local err = fault(redis.pcall(command, KEYS[k], unpack(ARGV, from, next_arg - 1)))
        problem = err and err.err
      end
      at = problem and k
    end
  end
  return problem, at, taken
end

-- delay returns the position of a key and the text of an error, or nothing.
local function delay(second, name, list, locations, payload)
  local reply = redis.pcall('ZADD', schedule, second, second)
  if fault(reply) then
    return 1, reply.err
  end
  local added = redis.pcall('SADD', KEYS[locations], name)
  if fault(added) then
    return locations, added.err
  end
  reply = redis.pcall('RPUSH', KEYS[list], payload)
  if fault(reply) then
    if added == 1 then
      redis.call('SREM', KEYS[locations], name)
    end
    return list, reply.err
  end
end

local function push(queue, list, command, payload)
  local reply
  if not known[queue] then
    reply = redis.pcall('SADD', queues, queue)
    if fault(reply) then
      return 2, reply.err
    end
    known[queue] = true
  end
  reply = redis.pcall(command, KEYS[list], payload)
  if fault(reply) then
    return list, reply.err
  end
end

local statuses = {}
local queue, queue_list -- of the last job
while next_key <= #KEYS do
  local command, wait, list, locations, name, second, cut_from, cut_to = arg(), 0
  if command ~= 'SAME' then
    queue, queue_list = arg(), key()
  end
  if command == 'DELAY' then
    list, locations = key(), key()
    second, name, cut_from, cut_to, command = arg(), arg(), arg(), arg(), arg()
    wait = math.max(tonumber(second) - locks.seconds(), 0)
  end
  local payload = arg()
  local problem, at, taken = effects(wait)
  if not problem then
    if wait > 0 then
      at, problem = delay(second, name, list, locations, payload)
    else
      if second then
        payload = payload:sub(1, tonumber(cut_from) - 1) .. payload:sub(tonumber(cut_to) + 1)
      end
      at, problem = push(queue, queue_list, command == 'SAME' and 'RPUSH' or command, payload)
    end
  end
  if problem then
    for _, k in ipairs(taken) do
      redis.call('DEL', k)
    end
    statuses[#statuses + 1] = problem == 'held' and -1 or {at, problem}
  else
    statuses[#statuses + 1] = wait > 0 and 1 or 0
  end
end
return statuses
