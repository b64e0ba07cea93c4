-- Requeues, marks or removes failures of one list, each only if its record is still
-- at its position. Nothing is decoded: records and payloads are cut and spliced at
-- offsets that the caller has found.
--
-- KEYS  the list, queues, the trash, then for each act the list of the queue
--       that it requeues to (the first key again if it requeues nothing)
-- ARGV  a mark, which is a text that is not a record,
--       how long the trash is kept in ms (0: no trash),
--       1 if all records between the first and the last position may be read at
--       once,
--       the number of acts,
--       then for each act, in the order of their positions, which are all different:
--         the position,
--         the digest of the record (see digest),
--         the queue to requeue to ('' for none),
--         the payload ('' for that of the record),
--         the first and the last byte of the record's payload, counted from 1,
--         how to change the record: how many bytes at its beginning stay, from
--         which byte on its end stays, and the text to put between them;
--         or -1, 0 and '' to remove it
-- returns a status for each act: 1 if it is done, 0 if the record is no longer at
--         its position, or the text of an error

local list, queues, trash = KEYS[1], KEYS[2], KEYS[3]
local gone, ttl, near, n = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])

local function field(i, f)
  return ARGV[4 + 9 * (i - 1) + f]
end

local function number(i, f)
  return tonumber(field(i, f))
end

local function failed(reply)
  return type(reply) == 'table' and reply.err
end

-- To hash a large record takes Redis long, so only its length, its beginning and
-- its end are hashed.
--
-- Go: store.Digest
local hashed_whole = 1048576
local function digest(raw)
  if #raw > hashed_whole then
    raw = #raw .. raw:sub(1, hashed_whole / 2) .. raw:sub(-hashed_whole / 2)
  end
  return redis.sha1hex(raw)
end

-- To find a position in the middle of a long list takes long, so records that are
-- near each other are read at once.
local first, last = number(1, 1), number(n, 1)
near = near == '1' and last - first < 4 * n and redis.call('LRANGE', list, first, last)

-- How many records were overwritten with the mark so far, and how many were moved
-- out of the list.
local overwritten, moved = 0, 0

local function record(position)
  if near then
    return near[position - first + 1]
  end
  return redis.call('LINDEX', list, position - moved)
end

local function requeue(i, raw)
  local queue, payload = field(i, 3), field(i, 4)
  if queue == '' then
    return nil
  end
  if payload == '' then
    payload = raw:sub(number(i, 5), number(i, 6))
  end
  return failed(redis.pcall('SADD', queues, queue)) or failed(redis.pcall('RPUSH', KEYS[3 + i], payload))
end

-- remove removes a record. The first record of the list is popped, which needs no
-- search: to clear a list, or its older part, takes only pops. Any other record is
-- overwritten with the mark, and all marks are removed at the end in one search. A
-- full Redis refuses to overwrite but not to remove: then the first record with the
-- same bytes is removed, and the records behind it move up.
local function remove(position, raw)
  if position == moved then
    local err = failed(ttl > 0 and redis.pcall('LMOVE', list, trash, 'LEFT', 'RIGHT') or redis.pcall('LPOP', list))
    moved = err and moved or moved + 1
    return err
  end
  if ttl > 0 then
    local err = failed(redis.pcall('RPUSH', trash, raw))
    if err then
      return err
    end
  end
  if not failed(redis.pcall('LSET', list, position - moved, gone)) then
    overwritten = overwritten + 1
    return nil
  end
  local removed = redis.pcall('LREM', list, 1, raw)
  if failed(removed) then
    return removed.err
  end
  moved = moved + removed
end

local function act(i)
  local position = number(i, 1)
  local raw = record(position)
  if not raw or digest(raw) ~= field(i, 2) then
    return 0
  end
  local err = requeue(i, raw)
  if err then
    return err
  end
  local front = number(i, 7)
  if front < 0 then
    err = remove(position, raw)
  else
    err = failed(redis.pcall('LSET', list, position - moved, raw:sub(1, front) .. field(i, 9) .. raw:sub(number(i, 8))))
  end
  return err or 1
end

local half = redis.call('LLEN', list) / 2
local statuses = {}
for i = 1, n do
  statuses[i] = act(i)
end
if overwritten > 0 then
  redis.call('LREM', list, last < half and overwritten or -overwritten, gone)
end
if ttl > 0 then
  redis.pcall('PEXPIRE', trash, ttl)
end
return statuses
