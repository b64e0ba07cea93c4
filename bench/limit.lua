-- The limit: finishes the last jobs of n slots and reserves the next ones, with one
-- command after the other. It has all guards that a worker needs, and nothing else.
--
-- KEYS  pause-all-workers, pause:all, workers, the queue, its pause key,
--       stat:processed, then each slot's record (n), each slot's counter (n)
-- ARGV  n, each slot's run_at (n), each slot's worker id (n), each slot's guard (n)
-- returns {slot, payload, …}

local n = tonumber(ARGV[1])
local taken = {}
for i = 1, n do
  local guard = ARGV[1 + 2 * n + i]
  if guard ~= '' and redis.call('GETRANGE', KEYS[6 + i], 0, #guard - 1) == guard then
    redis.call('DEL', KEYS[6 + i])
    redis.call('INCR', KEYS[6])
    redis.call('INCR', KEYS[6 + n + i])
  end
end
local all = redis.call('GET', KEYS[1])
if all and all:lower() == 'true' or redis.call('EXISTS', KEYS[2], KEYS[5]) > 0 then
  return taken
end
local json = cjson.new()
json.decode_invalid_numbers(false)
json.decode_max_depth(99)
for i = 1, n do
  if redis.call('SISMEMBER', KEYS[3], ARGV[1 + n + i]) == 1 and not redis.call('GET', KEYS[6 + i]) then
    local raw = redis.call('LPOP', KEYS[4])
    if not raw then
      break
    end
    if raw:find('[%c\128-\255]') or not pcall(json.decode, raw) then
      raw = cjson.encode(raw)
    end
    redis.call('SET', KEYS[6 + i], '{"queue":"queue0","run_at":"' .. ARGV[1 + i] .. '","payload":' .. raw .. '}')
    taken[#taken + 1] = i
    taken[#taken + 1] = raw
  end
end
return taken
