-- The beginning of every script that ends a job: reading an outcome from KEYS
-- and ARGV, and settling it. The script sets next_key and next_arg first.
--
-- An outcome is its guard, the number of its effects, and for each effect its
-- command, the number of its arguments, and those; the effects' keys are in KEYS.

local next_key, next_arg

local function key()
  next_key = next_key + 1
  return KEYS[next_key - 1]
end

local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end

-- settle runs one outcome's effects if its record is still there. Counters come
-- last and cannot undo what was pushed; a push that Redis refuses leaves the
-- record, so that the outcome can be tried again.
local function settle(record, guard, effects)
  if guard == '' or redis.pcall('GETRANGE', record, 0, #guard - 1) ~= guard then
    return 0
  end
  for _, e in ipairs(effects) do
    if e.command ~= 'INCRBY' then
      local reply = redis.pcall(e.command, e.key, unpack(e.args))
      if type(reply) == 'table' and reply.err then
        return reply.err
      end
    end
  end
  local reply = redis.pcall('DEL', record)
  if type(reply) == 'table' and reply.err then
    return reply.err
  end
  for _, e in ipairs(effects) do
    if e.command == 'INCRBY' then
      redis.pcall(e.command, e.key, unpack(e.args))
    end
  end
  return 1
end

local function outcome()
  local guard, effects = arg(), {}
  for e = 1, tonumber(arg()) do
    local effect = {command = arg(), key = key(), args = {}}
    for a = 1, tonumber(arg()) do
      effect.args[a] = arg()
    end
    effects[e] = effect
  end
  return guard, effects
end

