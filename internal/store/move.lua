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

-- Targets, as positions in ARGV.
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

-- each_second calls f with the position of each second in KEYS and ARGV, and the number
-- of its jobs, as long as f returns true.
local function each_second(f)
  local key, arg = 5 + targets, at
  for _ = 1, seconds do
    local n = tonumber(ARGV[arg + 2])
    if not f(key, arg, n) then
      return false
    end
    key, arg = key + 1 + n, arg + 3
  end
  return true
end

-- Whether a list has jobs behind the first ones, by its position in KEYS.
local more = {}

local same = each_second(function(key, _, n)
  local jobs = redis.call('LRANGE', KEYS[key], 0, n)
  if n == 0 and #jobs > 0 then
    return false
  end
  more[key] = #jobs > n
  for i = 1, n do
    local set, job = KEYS[key + i], jobs[i]
    -- The payload ends the key of the set. find makes no copy of it.
    if not job or #set ~= prefix + #job or not set:find(job, prefix + 1, true) then
      return false
    end
  end
  return true
end)
if not same then
  return 0
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

local emptied, members = {}, {}
each_second(function(key, arg, n)
  local name = ARGV[arg + 1]
  for i = 1, n do
    redis.pcall('SREM', KEYS[key + i], name) -- of another type: it is not an index
  end
  if more[key] then
    redis.call('LTRIM', KEYS[key], n, -1)
  else
    emptied[#emptied + 1] = KEYS[key]
    members[#members + 1] = ARGV[arg]
  end
  return true
end)
for i = at + 3 * seconds, #ARGV do
  redis.pcall('SADD', KEYS[tonumber(ARGV[i])], 'delayed:' .. again)
end
if #emptied > 0 then
  redis.call('DEL', unpack(emptied))
  redis.call('ZREM', schedule, unpack(members))
end
redis.call('HINCRBY', status, 'moved', moved)
redis.call('HSET', status, 'lateness', late)
return 1
