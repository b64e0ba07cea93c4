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
--         trash has other entries now. If a key has another type, nothing is changed and
--         an error is returned

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

local is_wrong = nil

-- check notes if a key has another type, before anything is changed.
local function check(k, want)
  local kind = redis.call('TYPE', k).ok
  if kind ~= want and kind ~= 'none' then
    is_wrong = is_wrong or 'WRONGTYPE the key ' .. k .. ' is a ' .. kind .. ', not a ' .. want
  end
  return k
end

-- read reads the arguments of a job and checks its keys.
local function read()
  local job = {list = check(key(), 'list'), locations = key(), locks = {}}
  job.entry, job.before, job.second, job.name = arg(), tonumber(arg()), arg(), arg()
  if from == 'LEFT' then
    check(job.locations, 'set')
  end
  for n = 1, tonumber(arg()) do
    local keys = {check(key(), 'string'), key()}
    if keys[2] ~= keys[1] then
      check(keys[2], 'set')
    end
    job.locks[n] = {keys = keys, form = arg(), value = arg(), ttl = arg(), member = arg()}
  end
  return job
end

-- take takes the locks of a job. It returns false if another job holds one: then it has
-- taken none.
local function take(job)
  local wait = math.max((tonumber(job.second) or 0) - locks.seconds(), 0)
  for _, l in ipairs(job.locks) do
    local held, err = locks.held(l.keys[1], l.form, '')
    if held or err then
      return false
    end
  end
  for _, l in ipairs(job.locks) do
    locks.take(l.keys[1], wait, l.form, l.value, l.ttl)
    locks.list(l.keys, l.member)
  end
  return true
end

check(trash, 'list')
if from == 'RIGHT' then
  check(queues, 'set')
else
  check(schedule, 'zset')
end
local jobs = {}
while next_key <= #KEYS do
  jobs[#jobs + 1] = read()
end
if is_wrong then
  return redis.error_reply(is_wrong)
end

local results = {}
for n, job in ipairs(jobs) do
  if redis.call('LINDEX', trash, position) ~= job.entry then
    return results
  end
  local payload = job.entry:sub(job.before + 1)
  if not take(job) then
    redis.call('LMOVE', trash, trash, from, other)
    results[n] = 0
  else
    if from == 'RIGHT' then
      redis.call('SADD', queues, queue)
      redis.call('LPUSH', job.list, payload)
      redis.call('RPOP', trash)
    else
      redis.call('ZADD', schedule, job.second, job.second)
      redis.call('SADD', job.locations, job.name)
      redis.call('RPUSH', job.list, payload)
      redis.call('LPOP', trash)
    end
    results[n] = 1
  end
end
return results
