-- Reads a part of a key's value.
--
-- KEYS  the key
-- ARGV  where to begin: a position, or the cursor of a set or hash,
--       how many values to read,
--       the last byte of a string to read, counted from 0
-- returns {type, time to live in milliseconds, size, the next cursor ("" for types
--         without one), values}
local key, first, some = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local kind = redis.call("TYPE", key)
kind = kind.ok or kind
local ttl, size, next, values = redis.call("PTTL", key), 0, "", {}
if kind == "list" then
	size, values = redis.call("LLEN", key), redis.call("LRANGE", key, first, first + some - 1)
elseif kind == "zset" then
	size, values = redis.call("ZCARD", key), redis.call("ZRANGE", key, first, first + some - 1, "WITHSCORES")
elseif kind == "set" or kind == "hash" then
	local scan = { set = { "SCARD", "SSCAN" }, hash = { "HLEN", "HSCAN" } }
	size = redis.call(scan[kind][1], key)
	local part = redis.call(scan[kind][2], key, ARGV[1], "COUNT", some)
	next, values = part[1], part[2]
elseif kind == "string" then
	size, values = redis.call("STRLEN", key), { redis.call("GETRANGE", key, 0, ARGV[3]) }
end
return { kind, ttl, size, next, values }
