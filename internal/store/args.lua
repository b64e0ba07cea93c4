-- The beginning of the scripts that read KEYS and ARGV from the first to the last. Such a
-- script sets next_key and next_arg to the positions of the first ones.

local next_key, next_arg

local function key()
  next_key = next_key + 1
  return KEYS[next_key - 1]
end

local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end

-- freed_lists has the lists of the jobs that wait for places of limits, if one was freed; see
-- limit.lua.
local freed_lists = {}
