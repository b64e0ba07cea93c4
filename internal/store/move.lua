-- Moves the first jobs of delayed lists to their queues, if the caller is the master and
-- the lists still begin with what it has read. Otherwise nothing is written.
--
-- KEYS  the lock of the master, the hash that describes it,
--       delayed_queue_schedule, queues,
--       then the list of each target,
--       then for each second its list, and for each of its first jobs the set of the
--       lists that its payload is in
-- ARGV  the caller's token,
--       the length of the keys of those sets before the payload,
--       how late the oldest second is, in seconds,
--       the second to which jobs are delayed again, '' if none are,
--       the number of targets and the number of seconds,
--       then for each target:
--         the name of the queue, '' if the list is not a queue,
--         the number of its texts, and the texts: payloads, or records of failures,
--       then for each second:
--         its member of the sorted set, the name of its list without the namespace,
--         the number of its first jobs
--       then for each job that is delayed again its position in KEYS
-- returns 1 if the jobs are moved,
--         0 if the lists have changed: look again,
--         '' or the token of the master, if that is not the caller,
--         {i} if the i-th target is not a list

local lock, status, schedule, queues = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local token, prefix, late, again = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local targets, seconds = tonumber(ARGV[5]), tonumber(ARGV[6])

local holder = redis.call('GET', lock)
if holder ~= token then
  return holder or ''
end

-- Targets and seconds, as positions in KEYS and ARGV.
local at = 7
local names, pushes, moved = {}, {}, 0
for i = 1, targets do
  local n = tonumber(ARGV[at + 1])
  pushes[i] = {list = KEYS[4 + i], from = at + 2, to = at + 1 + n}
  if ARGV[at] ~= '' then
    names[#names + 1] = ARGV[at]
    moved = moved + n
  end
  at = at + 2 + n
end
local lists = {}
local key = 5 + targets
for i = 1, seconds do
  local n = tonumber(ARGV[at + 2])
  lists[i] = {member = ARGV[at], name = ARGV[at + 1], list = KEYS[key], sets = key, jobs = n}
  key, at = key + 1 + n, at + 3
end

-- ends_with reports whether a set's key is that of a payload. It makes no copy.
local function ends_with(set, payload)
  return #set == prefix + #payload and set:find(payload, prefix + 1, true)
end

for _, s in ipairs(lists) do
  s.length = redis.call('LLEN', s.list)
  if s.length < s.jobs or (s.jobs == 0 and s.length > 0) then
    return 0
  end
  if s.jobs > 0 then
    for i, job in ipairs(redis.call('LRANGE', s.list, 0, s.jobs - 1)) do
      if not ends_with(KEYS[s.sets + i], job) then
        return 0
      end
    end
  end
end
for i, p in ipairs(pushes) do
  local kind = redis.call('TYPE', p.list).ok
  if kind ~= 'list' and kind ~= 'none' then
    return {i}
  end
end

-- What a full Redis refuses comes first: then nothing is written.
if #names > 0 then
  redis.call('SADD', queues, unpack(names))
end
for _, p in ipairs(pushes) do
  redis.call('RPUSH', p.list, unpack(ARGV, p.from, p.to))
end
if again ~= '' then
  redis.call('ZADD', schedule, again, again)
end

local empty = {}
for _, s in ipairs(lists) do
  for i = 1, s.jobs do
    redis.pcall('SREM', KEYS[s.sets + i], s.name) -- of another type: it is not an index
  end
  if s.length > s.jobs then
    redis.call('LTRIM', s.list, s.jobs, -1)
  else
    redis.call('DEL', s.list)
    empty[#empty + 1] = s.member
  end
end
for i = at, #ARGV do
  redis.pcall('SADD', KEYS[tonumber(ARGV[i])], 'delayed:' .. again)
end
if #empty > 0 then
  redis.call('ZREM', schedule, unpack(empty))
end
redis.call('HINCRBY', status, 'moved', moved)
redis.call('HSET', status, 'lateness', late)
return 1
