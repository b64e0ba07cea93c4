-- Gives jobs what they need before they are performed, for many jobs in one call.
--
-- KEYS  of some needs, in the order of ARGV, a key that rarely exists,
--       for each job its record and the other keys of its needs
-- ARGV  'take', or 'look' to take nothing and to ignore the records,
--       the number of jobs,
--       the number of keys that rarely exist,
--       the position of the worker's id in the key of a record,
--       for each job its guard and the number of its needs, and for each need its form and
--       the arguments. The form is the name, the number of the other keys, the number of the
--       arguments, and 1 if the need has a key that rarely exists, else 0
-- returns for each job 0 if the record does not begin with the guard, 1 if all needs are met
--         and have no values, the text of an error, or for each need {state, value}: state
--         is 1 if the need is met, 0 if it is refused, and -1 if it was skipped because one
--         before it was refused. value is nil unless the need has one
--
-- To give a job the same need again changes nothing: the reply of the first call may be
-- lost. After an error, what the job was given before stays, for its end to release.

local take = ARGV[1] == 'take'
local rare = tonumber(ARGV[3]) -- keys that rarely exist
local id_at = tonumber(ARGV[4])
next_key, next_arg = rare + 1, 5

-- needs are functions of the keys and the arguments of a need, of its key that rarely exists,
-- nil if none of these keys exists, and of the record and the guard of the job. They return whether it is met, and its value, or
-- an error of redis.pcall as the value. They must take nothing unless take is true.
local needs = {}

-- READ key: the first 64 KB of a string, '' if there is none.
function needs.READ(keys)
  return true, redis.pcall('GETRANGE', keys[1], 0, 65535)
end

-- LOCK key token milliseconds: takes a lock, which is refused if it has another token. The
-- value is the token that it has.
function needs.LOCK(keys, args)
  local taken = take and redis.pcall('SET', keys[1], args[1], 'NX', 'PX', args[2])
  if taken then
    return true, taken.err and taken or args[1]
  end
  local holder = redis.pcall('GETRANGE', keys[1], 0, 1023)
  return holder == args[1], holder
end

-- ABSENT key member: is refused if a set has the member.
function needs.ABSENT(keys, args)
  local member = redis.pcall('SISMEMBER', keys[1], args[1])
  return member == 0, type(member) == 'table' and member
end

-- STATUS key kill, uuid milliseconds other name value ...: merges members into a status, as
-- the effect STATUS does. It is refused if the job is to be killed.
function needs.STATUS(keys, args)
  local killed = take and redis.pcall('SISMEMBER', keys[2], args[1])
  if killed == 1 or not take or type(killed) == 'table' then
    return killed ~= 1, killed ~= 1 and killed
  end
  local text = status_of(keys[1], args[3])
  if type(text) == 'string' then
    text = set_status(keys[1], merged(text, args, 4), args[2])
  end
  return true, text.err and text
end

-- RANK set score member oldest: adds a member to a sorted set, and removes those up to the
-- score oldest unless it is empty.
function needs.RANK(keys, args)
  local reply = take and redis.pcall('ZADD', keys[1], args[1], args[2])
  if take and type(reply) == 'number' and args[3] ~= '' then
    reply = redis.pcall('ZREMRANGEBYSCORE', keys[1], 0, args[3])
  end
  return true, type(reply) == 'table' and reply
end

-- HOLD held [rate], concurrency [interval burst]: takes a place in a limit, unless
-- the key that rarely exists, of a limit that gives no places for a while, exists. The value of
-- a refusal is after how many microseconds there is a place, -1 if a job must end first.
function needs.HOLD(keys, args, pause, record, guard)
  local held, worker = keys[1], record:sub(id_at)
  if take and not pause and not keys[2] and redis.pcall('HSETNX', held, worker, guard) == 1 then
    if redis.call('HLEN', held) <= tonumber(args[1]) then
      return true
    end
    redis.call('HDEL', held, worker)
    return false, '-1'
  end
  local has = redis.pcall('HGET', held, worker)
  if has == guard then
    return true
  elseif type(has) == 'table' then
    return false, has
  end
  local wait = pause and redis.call('PTTL', pause) or 0
  if wait > 0 then
    return false, tostring(wait) .. '000'
  end
  local most, interval, burst = args[1]:match('^(%d+) ?(%S*) ?(%S*)$')
  local limit = { held = held, rate = keys[2], concurrency = tonumber(most), interval = tonumber(interval) or 0, burst = tonumber(burst) }
  if has then -- an earlier job of this worker, which has only one
    limit.concurrency = limit.concurrency > 0 and limit.concurrency + 1 or 0
  end
  local err = look_at(limit)
  if err then
    return false, { err = err }
  elseif limit.free <= 0 then
    return false, ('%.0f'):format(limit.wait)
  elseif take then
    start(limit, worker, guard)
    err = save(limit)
  end
  return true, err and { err = err }
end

-- TAKE key index form value token ttl member: takes a lock, see lock.lua. It is refused
-- if it is held without the token.
function needs.TAKE(keys, args)
  local held, err = locks.held(keys[1], args[1], args[3])
  if not held and take then
    err = locks.set(keys[1], args[1], args[2], args[4], 0) or locks.list(keys, args[5]) or nil
  end
  return not held, err
end

-- UNLOCK key index begun member ttl: frees the lock of a job that was waiting, and notes in
-- begun that the job no longer has it: another job may take it from now on.
function needs.UNLOCK(keys, args)
  local noted = take and redis.pcall('SET', keys[3], '1', 'NX', 'PX', args[2])
  if fault(noted) then
    return true, noted
  end
  return true, noted and type(redis.pcall('STRLEN', keys[1])) == 'number' and locks.free(keys, args[1]) or nil
end

local function slice(list, from, count)
  return { unpack(list, from, from + count - 1) }
end

-- give returns whether a need is met and its value, or the text of an error.
local function give(name, ...)
  local ok, met, value = pcall(needs[name], ...)
  if not ok then
    return nil, error_text(met)
  elseif type(value) == 'table' then
    return nil, error_text(value)
  end
  return met or false, value or false
end

-- forms has the parts of the forms of needs, which are mostly the same.
local forms = {}
local function form(text)
  if not forms[text] then
    local name, keys, args, absent = text:match('^(%u+) (%d+) (%d+) (%d)$')
    forms[text] = { name, tonumber(keys), tonumber(args), absent == '1' }
  end
  return unpack(forms[text])
end

local seen, some = 0, false -- some of the keys that rarely exist do
for from = 1, rare, 4000 do
  some = some or redis.call('EXISTS', unpack(KEYS, from, math.min(from + 3999, rare))) > 0
end

local results = {}
for i = 1, tonumber(ARGV[2]) do
  local record, guard, count = key(), arg(), tonumber(arg())
  local ours = not take or guard ~= '' and redis.pcall('GETRANGE', record, 0, #guard - 1) == guard
  local result, met_all, refused = ours and {} or 0, ours, false
  for n = 1, count do
    local name, key_count, arg_count, absent = form(arg())
    if absent then
      seen = seen + 1
      absent = some and KEYS[seen] or nil
    end
    if type(result) ~= 'table' then
      -- it is only read
    elseif refused then
      result[n] = { -1, false }
    else
      local met, value = give(name, slice(KEYS, next_key, key_count), slice(ARGV, next_arg, arg_count), absent, record, guard)
      if met == nil then
        result, met_all = value, false
      else
        result[n], refused = { met and 1 or 0, value }, not met
        met_all = met_all and met and not value
      end
    end
    next_key, next_arg = next_key + key_count, next_arg + arg_count
  end
  results[i] = met_all and 1 or result
end
return results
