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

local call, pcall = redis.call, redis.pcall

local holder = call('GET', lock)
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

-- Whether a list has jobs behind the first ones, by its position in KEYS.
local more = {}

-- Numbers are passed to commands as strings, because Redis formats a number slowly.

local key, arg = 5 + targets, at
for _ = 1, seconds do
  local n = tonumber(ARGV[arg + 2])
  local jobs = call('LRANGE', KEYS[key], '0', ARGV[arg + 2])
  if n == 0 and jobs[1] then
    return 0
  end
  more[key] = jobs[n + 1] ~= nil
  for i = 1, n do
    local set, job = KEYS[key + i], jobs[i]
    -- The payload ends the key of the set. find makes no copy of it.
    if not job or #set ~= prefix + #job or not set:find(job, prefix + 1, true) then
      return 0
    end
  end
  key, arg = key + 1 + n, arg + 3
end
for i, p in ipairs(pushes) do
  local kind = call('TYPE', p.list).ok
  if kind ~= 'list' and kind ~= 'none' then
    return {i}
  end
end

-- What a full Redis refuses comes first: then nothing is written.
if #names > 0 then
  call('SADD', queues, unpack(names))
end
for _, p in ipairs(pushes) do
  call('RPUSH', p.list, unpack(ARGV, p.from, p.to))
end
if again ~= '' then
  call('ZADD', schedule, again, again)
end

local emptied, members = {}, {}
key, arg = 5 + targets, at
for _ = 1, seconds do
  local name, n = ARGV[arg + 1], tonumber(ARGV[arg + 2])
  for i = key + 1, key + n do
    pcall('SREM', KEYS[i], name) -- of another type: it is not an index
  end
  if more[key] then
    call('LTRIM', KEYS[key], ARGV[arg + 2], '-1')
  else
    emptied[#emptied + 1] = KEYS[key]
    members[#members + 1] = ARGV[arg]
  end
  key, arg = key + 1 + n, arg + 3
end
for i = at + 3 * seconds, #ARGV do
  pcall('SADD', KEYS[tonumber(ARGV[i])], 'delayed:' .. again)
end
if #emptied > 0 then
  call('DEL', unpack(emptied))
  call('ZREM', schedule, unpack(members))
end
call('HINCRBY', status, 'moved', moved)
call('HSET', status, 'lateness', late)
return 1
