-- Part of exchange.lua and exchange_usual.lua: how a payload is written into a record. That is the payload
-- itself, unless a booting Ruby worker that finds the record could not read it.

-- strict returns a cjson for this call, which accepts only what Ruby reads. The shared
-- cjson accepts NaN, 0x10, 01 and 1,000 levels. Ruby reads 100 levels, and the record adds
-- one.
local max_depth = 99
local json
local function strict()
  if not json and cjson.new then
    json = cjson.new()
    json.decode_invalid_numbers(false)
    json.decode_max_depth(max_depth)
  end
  return json or cjson
end

-- Checking a payload takes up to half a second per megabyte, during which Redis
-- serves no other client. So a call checks only payloads of at most max_checked
-- bytes, and at most budget bytes in all. The records of the others hold the bytes
-- unchecked: the caller checks those payloads, and rewrites a record that Ruby could
-- not read.
local max_checked, budget = 65536, 131072

local function within_budget(raw)
  if #raw > max_checked or #raw > budget then
    return false
  end
  budget = budget - #raw
  return true
end

-- put_back puts a job that was popped back to the front of its queue, or to the end if
-- Redis refuses LPUSH, which Ruby's Resque does not use.
local function put_back(list, raw)
  if type(redis.pcall('LPUSH', list, raw)) == 'table' then
    redis.pcall('RPUSH', list, raw)
  end
end

-- Most payloads match simple: they begin with a brace, and have only printable ASCII
-- characters other than the point. Such a payload is written unchanged if cjson reads it.
local simple = '^{[ --/-~]*$'

-- recorder returns the function that returns a payload as a record holds it. Most calls do
-- not need it, and to create its functions costs as much as to perform a job.
local function recorder()
  -- has reports whether text has a character of a class. The pattern some matches
  -- such a character, the pattern none a prefix without one. Redis is faster with
  -- none; miniredis would recurse for each character and fail on a large payload.
  local function has(text, some, none)
    if not cjson.new then
      return text:find(some)
    end
    local _, last = text:find(none)
    return last < #text
  end

  local function utf8(text)
    if not has(text, '[\128-\255]', '^[^\128-\255]*') then
      return true
    end
    -- The check below would take miniredis minutes. Base64 keeps the bytes also.
    if not cjson.new and #text > 20000 then
      return false
    end
    -- Each whole sequence becomes a space, so that its neighbours cannot join.
    local rest = text
      :gsub('\240[\144-\191][\128-\191][\128-\191]', ' ')
      :gsub('[\241-\243][\128-\191][\128-\191][\128-\191]', ' ')
      :gsub('\244[\128-\143][\128-\191][\128-\191]', ' ')
      :gsub('\224[\160-\191][\128-\191]', ' ')
      :gsub('[\225-\236\238\239][\128-\191][\128-\191]', ' ')
      :gsub('\237[\128-\159][\128-\191]', ' ')
      :gsub('[\194-\223][\128-\191]', ' ')
    return not rest:find('[\128-\255]')
  end

  -- any_piece calls fn with each piece of text between quotes, inside or outside of
  -- a string, until fn returns true. A pattern such as "[^"]*" would be shorter, but
  -- miniredis recurses for each character of a match and fails on a large payload.
  local function any_piece(text, fn)
    text = text:find('\\', 1, true) and text:gsub('\\.', '') or text
    local from, inside = 1, false
    repeat
      local quote = text:find('"', from, true) or #text + 1
      if fn(text:sub(from, quote - 1), inside) then
        return true
      end
      from, inside = quote + 1, not inside
    until from > #text
    return false
  end

  -- raw_controls reports whether text has control characters inside strings, which
  -- cjson accepts and Ruby does not, or zero bytes, at which cjson stops.
  local function raw_controls(text)
    if not has(text, '%c', '^%C*') then
      return false
    end
    return text:find('\0', 1, true) or any_piece(text, function(piece, inside)
      return inside and piece:find('[%z\1-\31]')
    end)
  end

  local function digit(byte)
    return byte and byte >= 48 and byte <= 57
  end

  local function odd(piece)
    local dot = piece:find('.', 1, true)
    while dot do
      local before, _, after = piece:byte(dot - 1, dot + 1)
      if before == 45 or digit(before) and not digit(after) then -- a minus sign
        return true
      end
      dot = piece:find('.', dot + 1, true)
    end
    return false
  end

  -- odd_numbers reports whether text has numbers such as 1. and -.5, which cjson
  -- accepts and Ruby does not.
  local function odd_numbers(text)
    return odd(text) and any_piece(text, function(piece, inside)
      return not inside and odd(piece)
    end)
  end

  local function too_deep(text)
    local depth = 0
    return any_piece(text, function(piece, inside)
      for bracket in (inside and '' or piece):gmatch('[%[%]{}]') do
        depth = depth + ((bracket == '[' or bracket == '{') and 1 or -1)
        if depth > max_depth then
          return true
        end
      end
    end)
  end

  -- decodes reports whether cjson reads text. The cjson of miniredis returns nil
  -- instead of an error, and has no limit of levels.
  local function decodes(text)
    local ok, value = pcall(strict().decode, text)
    return ok and value ~= nil and (cjson.new or not too_deep(text))
  end

  -- readable reports whether a booting Ruby worker that finds the payload in a dead
  -- worker's record can read that record and write it again.
  local function readable(raw)
    local first = raw:find('%S')
    return first and raw:byte(first) == 123 -- {
      and not raw_controls(raw) and not odd_numbers(raw) and utf8(raw) and decodes(raw)
  end

  local digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  local function base64(bytes)
    local pairs_of = {} -- 12 bits, which are two digits
    local function two(n)
      if not pairs_of[n] then
        local high, low = math.floor(n / 64) + 1, n % 64 + 1
        pairs_of[n] = digits:sub(high, high) .. digits:sub(low, low)
      end
      return pairs_of[n]
    end
    local blocks = {}
    for from = 1, #bytes, 6000 do -- in blocks: miniredis concatenates at most 5,000 strings
      local block = {}
      for i = from, math.min(from + 5999, #bytes), 3 do
        local a, b, c = bytes:byte(i, i + 2)
        local n = a * 65536 + (b or 0) * 256 + (c or 0)
        block[#block + 1] = two(math.floor(n / 4096)) .. two(n % 4096)
      end
      blocks[#blocks + 1] = table.concat(block)
    end
    local text, spare = table.concat(blocks), -#bytes % 3
    return text:sub(1, #text - spare) .. ('='):rep(spare)
  end

  return function(raw)
    if readable(raw) then
      return raw
    end
    local text = utf8(raw) and cjson.encode(raw) or '{"base64":"' .. base64(raw) .. '"}'
    return '{"class":"<unreadable>","args":[' .. text .. ']}'
  end
end
