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
    local from = next_arg
    next_arg = from + count
    if status ~= 1 then
      -- it is only read
    elseif command == 'EXPECT' then
      local value = redis.pcall('GETRANGE', k, 0, 1023)
      differs = differs or value ~= ARGV[from]
      values = values or {}
      values[#values + 1] = type(value) == 'string' and value or 0
    elseif differs then
      status = values
    else
      local reply = redis.pcall(command, k, unpack(ARGV, from, next_arg - 1))
      if type(reply) == 'table' and reply.err then
        status = reply.err
      end
    end
  end
  return status == 1 and differs and values or status
end

