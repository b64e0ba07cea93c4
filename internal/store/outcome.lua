-- Part of the scripts that finish jobs, and of admit.lua: it reads outcomes from KEYS and
-- ARGV and runs their effects. It follows args.lua.
--
-- In ARGV an outcome is its guard, the number of its effects, for each effect the
-- command, the number of its arguments and the arguments, and at last the number of
-- its counters. In KEYS it is the keys of the effects and then of the counters, each
-- of which grows by one.
--
-- The first effects may have the command EXPECT and one argument: the value that the
-- key must have, '' if it must not exist. The last of these may have the command BATCH,
-- which counts the end of a member of a batch, unless a value was not the expected one:
-- see batch_end in batch.lua.
--
-- The command of an effect may be the name of a function in named. Such an effect, and
-- BATCH, may have more than one key: its first argument is the number of the others, which
-- follow in KEYS.

-- error_text returns the text of an error that pcall has caught, without the line of the
-- script. An error that is not Redis's begins with ERR.
local function error_text(err)
  local text = type(err) == 'table' and err.err or tostring(err)
  text = text:gsub('^@?user_script:%s?%d+:%s?', ''):gsub('^%-', '')
  return text:match('^%u+ ') and text or 'ERR ' .. text
end

-- named are the effects that are more than one command. They are functions of the keys and
-- the arguments of an effect. They return nothing, or an error of redis.pcall.
local named = {}

-- passing returns an error of redis.pcall, unless it is that a key has another type: that
-- error does not pass, and the job ends without the key.
local function passing(reply)
  if type(reply) == 'table' and reply.err and not reply.err:find('WRONGTYPE', 1, true) then
    return reply
  end
end

-- RELEASE key token: releases a lock, if it still has the token.
function named.RELEASE(keys, args)
  local token = redis.pcall('GETRANGE', keys[1], 0, 1023)
  if token == args[1] then
    return redis.pcall('DEL', keys[1])
  end
  return token
end

-- string_end and value_end return the position of the last byte of the JSON string or value
-- that begins at a position, or nil.
local function string_end(text, at)
  repeat
    at = text:find('["\\]', at + 1)
    local quote = at and text:byte(at) == 34
    at = at and not quote and at + 1 or at
  until not at or quote
  return at
end

local function value_end(text, at)
  local first = text:byte(at)
  if first == 34 then
    return string_end(text, at)
  elseif first ~= 91 and first ~= 123 then
    return (text:find('[,}%s]', at) or #text + 1) - 1
  end
  local depth = 0
  while at do
    local byte = text:byte(at)
    if byte == 34 then
      at = string_end(text, at)
    else
      depth = depth + ((byte == 91 or byte == 123) and 1 or -1)
    end
    if depth == 0 then
      return at
    end
    at = at and text:find('["{}%[%]]', at + 1)
  end
end

-- member returns the positions of the first and the last byte of the value of a member of a
-- JSON object, or nil. Other members are not decoded.
local function member(text, name)
  local at = text:find('"' .. name .. '"', 1, true) and text:match('^%s*{%s*()"')
  while at do
    local key_end = string_end(text, at)
    local from = key_end and text:match('^%s*:%s*()', key_end + 1)
    local to = from and value_end(text, from)
    if to and text:sub(at + 1, key_end - 1) == name then
      return from, to
    end
    at = to and text:match('^%s*,%s*()"', to + 1)
  end
end

-- merged returns a JSON object with members set: list has their names and their values as
-- JSON, from a position on. Members that are new are added at the end.
local function merged(text, list, from)
  for i = from, #list, 2 do
    local first, last = member(text, list[i])
    if first then
      text = text:sub(1, first - 1) .. list[i + 1] .. text:sub(last + 1)
    else
      local head = text:match('^(.*%S)%s*}%s*$') or '{'
      local comma = head == '{' and '' or ','
      text = head .. comma .. '"' .. list[i] .. '":' .. list[i + 1] .. '}'
    end
  end
  return text
end

-- status_of returns the text of a status, or other if there is none, and the value of its
-- member status. An error of Redis is returned instead of the text.
local function status_of(key, other)
  local text = redis.pcall('GET', key)
  if type(text) == 'table' then
    return text
  end
  if not text or not text:match('^%s*{.*}%s*$') then
    text = other
  end
  local from, to = member(text, 'status')
  return text, from and text:sub(from + 1, to - 1)
end

-- set_status writes a status, which expires after milliseconds, or never if that is 0.
local function set_status(key, text, milliseconds)
  if milliseconds == '0' then
    return redis.pcall('SET', key, text)
  end
  return redis.pcall('SET', key, text, 'PX', milliseconds)
end

-- STATUS key kill, uuid mode milliseconds other name value ...: merges members into a
-- status, or into other if there is none. The mode is how the job has ended: again, it is
-- performed again; open, a status that already says that it has ended is not changed; or
-- any. Unless it is performed again, it is removed from the jobs to kill.
function named.STATUS(keys, args)
  local text, status = status_of(keys[1], args[4])
  if passing(text) then
    return text
  elseif type(text) == 'table' then
    -- it is not a status
  elseif args[2] == 'any' or status == 'queued' or status == 'working' then
    local reply = set_status(keys[1], merged(text, args, 5), args[3])
    if reply.err then
      return reply
    end
  end
  return args[2] ~= 'again' and passing(redis.pcall('SREM', keys[2], args[1]))
end

-- UNLOCK key index [begun] ttl age member: frees the lock of a job, if it has it; see
-- lock.lua.
function named.UNLOCK(keys, args)
  if keys[3] and redis.call('DEL', keys[3]) == 1 then
    return -- it was freed when the job began
  elseif locks.own(keys[1], args[1], args[2]) then
    return locks.free(keys, args[3])
  end
end

-- RELOCK key index [begun] ttl age due form value member: keeps or takes the lock of a job
-- that is performed again at the second due.
function named.RELOCK(keys, args)
  local freed = keys[3] and redis.call('EXISTS', keys[3]) == 1 -- when the job began
  if freed or locks.own(keys[1], args[1], args[2]) then
    local wait = math.max(tonumber(args[3]) - locks.seconds(), 0)
    local err, taken = locks.set(keys[1], args[4], args[5], args[1], wait, freed)
    err = err or taken and passing(locks.list(keys, args[6]))
    if err then
      return err
    end
  end
  if freed then
    redis.call('DEL', keys[3])
  end
end

-- UNHOLD key index token member: frees a lock that has the token in its text.
function named.UNHOLD(keys, args)
  local text = locks.text(keys[1])
  if type(text) == 'string' and text:find(args[1], 1, true) then
    return locks.free(keys, args[2])
  end
end

-- more_keys reads the keys of a named effect, of which k is the first.
local function more_keys(k, count)
  local keys = { k }
  for i = 1, count do
    keys[i + 1] = key()
  end
  return keys
end

-- call_named runs a named effect. It returns the text of an error, if there is one.
local function call_named(command, keys, from, to)
  local ok, err = pcall(named[command], keys, { unpack(ARGV, from, to) })
  if not ok or type(err) == 'table' and err.err then
    return error_text(err)
  end
end

-- member_ended calls batch_end. An error must not end the script: effects of other outcomes
-- are written already, and would be written again.
local function member_ended(hash, ...)
  local ok, reply = pcall(batch_end, hash, ...)
  if ok then
    return reply
  end
  return batch_fault(hash, { err = error_text(reply) })
end

-- outcome reads the beginning of the next outcome. It returns the guard and the number
-- of effects, for run.
local function outcome()
  local guard = arg()
  return guard, tonumber(arg())
end

-- counters reads the end of an outcome, after its effects. It returns the positions of
-- the first and the last counter in KEYS.
local function counters()
  local from = next_key
  next_key = next_key + tonumber(arg())
  return from, next_key - 1
end

-- run reads the effects of an outcome and, if ours is true, runs them. It returns 1, or
-- the text of the first error: then it runs no more, and the record of the outcome must
-- stay, so that the outcome can be tried again. If a value is not the expected one, run
-- writes nothing and returns all values of expected keys, for another outcome: 0 for one
-- that is not a string.
local function run(effects, ours)
  local status, values, differs = ours and 1 or 0, nil, false
  for _ = 1, effects do
    local command, k, count = arg(), key(), tonumber(arg())
    local from, more = next_arg, next_key
    next_arg = from + count
    local keys = named[command] and more_keys(k, tonumber(ARGV[from]))
    if command == 'BATCH' then
      next_key = more + tonumber(ARGV[from])
    end
    if status ~= 1 then
      -- it is only read
    elseif command == 'EXPECT' then
      local value = redis.pcall('GETRANGE', k, 0, 1023)
      differs = differs or value ~= ARGV[from]
      values = values or {}
      values[#values + 1] = type(value) == 'string' and value or 0
    elseif command == 'BATCH' then
      local reply = not differs and member_ended(k, more, next_key - more, from + 1) or nil
      if type(reply) == 'table' then
        status = reply.err
      elseif reply or values then
        values = values or {}
        values[#values + 1] = reply or ''
        differs = differs or reply ~= nil
      end
    elseif differs then
      status = values
    elseif keys then
      status = call_named(command, keys, from + 1, next_arg - 1) or 1
    else
      local reply = redis.pcall(command, k, unpack(ARGV, from, next_arg - 1))
      if type(reply) == 'table' and reply.err then
        status = reply.err
      end
    end
  end
  return status == 1 and differs and values or status
end

