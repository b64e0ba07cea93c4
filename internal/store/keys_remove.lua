-- Removes keys that are strings, each only if it still has the text that the caller has
-- read, and moves them to a trash.
--
-- KEYS  the trash, then for each key the key itself, and a key that must not exist (the key
--       itself for none)
-- ARGV  how long the trash is kept in ms (0: no trash),
--       then for each key its name without the namespace, and its text
-- returns how many were removed
--
-- An entry of the trash is "EXPIRY SIZE NAME" and then the text: when the key would have
-- expired (Unix time in ms, 0 if never), and how many bytes the name has.

local keep, removed = tonumber(ARGV[1]), 0
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
for i = 1, (#KEYS - 1) / 2 do
  local key, other, name, text = KEYS[2 * i], KEYS[2 * i + 1], ARGV[2 * i], ARGV[2 * i + 1]
  if redis.pcall('GET', key) == text and (other == key or redis.call('EXISTS', other) == 0) then
    if keep > 0 then
      local left = redis.call('PTTL', key)
      local expiry = left >= 0 and now + left or 0
      redis.call('RPUSH', KEYS[1], ('%.0f %d %s'):format(expiry, #name, name) .. text)
    end
    removed = removed + redis.call('DEL', key)
  end
end
if keep > 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return removed
