-- The beginning of every script that ends a job: reading an outcome from KEYS
-- and ARGV, and pushing what it leaves behind. The script sets next_key and
-- next_arg first.
--
-- An outcome is its guard, the number of its effects, for each effect its
-- command, the number of its arguments, and those, and the number of its
-- counters. The keys of the effects and then of the counters, which are to grow
-- by one, are in KEYS.

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

-- outcome returns the next one's guard, its effects, and where in KEYS the
-- first and the last of its counters are.
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

-- push runs effects and returns 1, or the text of the first error: then the
-- outcome's record must stay, so that it can be tried again.
local function push(effects)
  for _, e in ipairs(effects) do
    local reply = redis.pcall(e.command, e.key, unpack(e.args))
    if type(reply) == 'table' and reply.err then
      return reply.err
    end
  end
  return 1
end

