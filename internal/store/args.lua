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

-- unparked has the names of the limits that have a place for a job that waits for it; see
-- limit.lua.
local unparked = {}
