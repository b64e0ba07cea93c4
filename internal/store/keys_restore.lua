-- Moves keys from a trash back, unless they exist again or would have expired since. The
-- caller has read the trash.
--
-- KEYS  the trash, then each key
-- ARGV  for each key its entry in the trash, when it would have expired (Unix time in ms,
--       0 if never), and its text
-- returns how many entries were taken from the trash (fewer than given if it has others
--         now), and how many keys are back

local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local back = 0
for i = 1, #KEYS - 1 do
  local entry, expiry, text = ARGV[3 * i - 2], tonumber(ARGV[3 * i - 1]), ARGV[3 * i]
  if redis.call('LINDEX', KEYS[1], 0) ~= entry then
    return {i - 1, back}
  end
  redis.call('LPOP', KEYS[1])
  local reply
  if expiry == 0 then
    reply = redis.call('SET', KEYS[i + 1], text, 'NX')
  elseif expiry > now then
    reply = redis.call('SET', KEYS[i + 1], text, 'NX', 'PX', ('%.0f'):format(expiry - now))
  end
  back = back + (reply and 1 or 0)
end
return {#KEYS - 1, back}
