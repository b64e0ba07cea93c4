-- Reads a part of a key's value, and only the beginning of large values in it.
--
-- KEYS  the key
-- ARGV  where to begin: a position, or the cursor of a set or hash,
--       how many values to read,
--       how many bytes of a value are returned
-- returns {type, time to live in milliseconds, size, where the next part begins ("" if
--         there is none), values, the sizes of the values, how many bytes of memory the
--         key uses (-1 if it is not known)}
local key, first, some, beginning = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kind = redis.call("TYPE", key)
kind = kind.ok or kind
local ttl, size, next, values, sizes = redis.call("PTTL", key), 0, "", {}, {}

-- After so many bytes no more values are read.
local left = 33554432

local function add(value)
	left = left - #value
	values[#values + 1] = value:sub(1, beginning)
	sizes[#sizes + 1] = #value
end

-- Values of a list or a sorted set are read one by one, because they may be large.
local function by_position(command, ...)
	local at = first
	while at < size and at < first + some and left > 0 do
		for _, value in ipairs(redis.call(command, key, at, at, ...)) do
			add(value)
		end
		at = at + 1
	end
	return at < size and tostring(at) or ""
end

local function by_cursor(command)
	local cursor = ARGV[1]
	repeat
		local part = redis.call(command, key, cursor, "COUNT", 10)
		cursor = part[1]
		for _, value in ipairs(part[2]) do
			add(value)
		end
	until cursor == "0" or #values >= some or left <= 0
	return cursor == "0" and "" or cursor
end

if kind == "list" then
	size = redis.call("LLEN", key)
	next = by_position("LRANGE")
elseif kind == "zset" then
	size = redis.call("ZCARD", key)
	next = by_position("ZRANGE", "WITHSCORES")
elseif kind == "set" then
	size, next = redis.call("SCARD", key), by_cursor("SSCAN")
elseif kind == "hash" then
	size, next = redis.call("HLEN", key), by_cursor("HSCAN")
elseif kind == "string" then
	size = redis.call("STRLEN", key)
	values[1], sizes[1] = redis.call("GETRANGE", key, 0, beginning - 1), size
end
-- Not every server has this command, and not every user may use it.
local memory = redis.pcall("MEMORY", "USAGE", key)
return { kind, ttl, size, next, values, sizes, type(memory) == "number" and memory or -1 }
