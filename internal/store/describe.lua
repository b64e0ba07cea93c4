-- Describes keys.
--
-- KEYS  any keys
-- returns for each key its type, its time to live in milliseconds (negative if it
--         has none) and its size
local size = { list = "LLEN", set = "SCARD", zset = "ZCARD", hash = "HLEN", string = "STRLEN" }
local out = {}
for _, key in ipairs(KEYS) do
	local kind = redis.call("TYPE", key)
	kind = kind.ok or kind
	out[#out + 1] = kind
	out[#out + 1] = redis.call("PTTL", key)
	out[#out + 1] = size[kind] and redis.call(size[kind], key) or 0
end
return out
