-- The beginning of every script that finishes jobs: it reads outcomes from KEYS and
-- ARGV and runs their effects. The script sets next_key and next_arg first.
--
-- In ARGV an outcome is its guard, the number of its effects, for each effect the
-- command, the number of its arguments and the arguments, and at last the number of
-- its counters. In KEYS it is the keys of the effects and then of the counters, each
-- of which grows by one.
--
-- The first effects may have the command EXPECT and one argument: the value that the
-- key must have, '' if it must not exist.

local next_key, next_arg

local function key()
  next_key = next_key + 1
  return KEYS[next_key - 1]
end

local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end

local none = {}

-- outcome reads the next outcome. It returns the guard, the effects, and the
-- positions of the first and the last counter in KEYS.
local function outcome()
  local guard, effects, count = arg(), none, arg()
  if count ~= '0' then
    effects = {}
    for e = 1, tonumber(count) do
      local effect = {command = arg(), key = key(), args = {}}
      for a = 1, tonumber(arg()) do
        effect.args[a] = arg()
      end
      effects[e] = effect
    end
  end
  local from = next_key
  next_key = next_key + tonumber(arg())
  return guard, effects, from, next_key - 1
end

-- unexpected compares the values that effects expect with those in Redis. It returns
-- the number of expectations and, if a value differs, all values: 0 for one that is
-- not a string.
local function unexpected(effects)
  local values, differs, count = {}, false, 0
  while effects[count + 1] and effects[count + 1].command == 'EXPECT' do
    count = count + 1
    local e = effects[count]
    local value = redis.pcall('GETRANGE', e.key, 0, 1023)
    differs = differs or value ~= e.args[1]
    values[count] = type(value) == 'string' and value or 0
  end
  return count, differs and values
end

-- run runs effects. It returns 1, or the text of the first error: then the record
-- of the outcome must stay, so that the outcome can be tried again. If a value is not
-- the expected one, it writes nothing and returns the values, for another outcome.
local function run(effects)
  local expectations, values = unexpected(effects)
  if values then
    return values
  end
  for i = expectations + 1, #effects do
    local e = effects[i]
    local reply = redis.pcall(e.command, e.key, unpack(e.args))
    if type(reply) == 'table' and reply.err then
      return reply.err
    end
  end
  return 1
end

