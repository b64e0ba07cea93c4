-- The limit without guards: the five commands for each of n jobs, and a check that
-- each payload is JSON. KEYS, ARGV and the result are those of limit.lua.

local n = tonumber(ARGV[1])
local taken = {}
for i = 1, n do
  if ARGV[1 + 2 * n + i] ~= '' then
    redis.call('DEL', KEYS[6 + i])
    redis.call('INCR', KEYS[6])
    redis.call('INCR', KEYS[6 + n + i])
  end
end
for i = 1, n do
  local raw = redis.call('LPOP', KEYS[4])
  if not raw then
    break
  end
  cjson.decode(raw)
  redis.call('SET', KEYS[6 + i], '{"queue":"queue0","run_at":"' .. ARGV[1 + i] .. '","payload":' .. raw .. '}')
  taken[#taken + 1] = i
  taken[#taken + 1] = raw
end
return taken
