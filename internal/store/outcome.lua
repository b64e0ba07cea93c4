-- The beginning of every script that finishes jobs: it reads outcomes from KEYS and
-- ARGV and runs their effects. The script sets next_key and next_arg first. admit.lua also
-- begins with it.
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

local next_key, next_arg

local function key()
  next_key = next_key + 1
  return KEYS[next_key - 1]
end

local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end

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

-- RELEASE key token: releases a lock, if it still has the token.
function named.RELEASE(keys, args)
  local token = redis.pcall('GETRANGE', keys[1], 0, 1023)
  if token == args[1] then
    return redis.pcall('DEL', keys[1])
  end
  return token
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
    local keys = (named[command] or command == 'BATCH') and more_keys(k, tonumber(ARGV[from]))
    if status ~= 1 then
      -- it is only read
    elseif command == 'EXPECT' then
      local value = redis.pcall('GETRANGE', k, 0, 1023)
      differs = differs or value ~= ARGV[from]
      values = values or {}
      values[#values + 1] = type(value) == 'string' and value or 0
    elseif command == 'BATCH' then
      local reply = not differs and batch_end(k, more, #keys - 1, from + 1) or nil
      values = values or {}
      values[#values + 1] = type(reply) == 'string' and reply or ''
      differs = differs or type(reply) == 'string'
      if type(reply) == 'table' then
        status = reply.err
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

