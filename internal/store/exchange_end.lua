-- Part of exchange.lua: it counts the jobs that ended, and replies.

-- Delete the records that were not overwritten with a new job.
for i = before_free + 1, finished_count do
  if statuses[i] == 1 and not filled[i] then
    delete(i)
  end
end

-- Counters come last: an error of one undoes nothing. It is the end of the reply.
local uncounted
local function count(key, n)
  local reply = redis.pcall('INCRBY', key, n)
  uncounted = type(reply) == 'table' and reply.err or uncounted
end
for i = 1, finished_count do
  if statuses[i] == 1 then
    settled = settled + 1
    for k = counters_from[i], counters_to[i] do
      count(KEYS[k], 1)
    end
  end
end
if deletes ~= '' then
  local keys = {}
  for i, key in pairs(deleted) do
    if statuses[i] == 1 then
      keys[#keys + 1] = key
    end
  end
  each(1, #keys, function(from, to)
    redis.pcall('DEL', unpack(keys, from, to))
  end)
end
if settled > 0 then
  for k = first_counter, first_counter + shared_counters - 1 do
    count(KEYS[k], settled)
  end
end

local more = (taken < wanted and popped >= most_bytes or incomplete) and 1 or 0
local reply = {paused and 1 or 0, fault, settled == finished_count and 1 or statuses, reserved, unknown, more}
local places = #freed_lists > 0 and unparked() or {}
if #denied > 0 or names ~= 0 or #places > 0 or uncounted then
  reply[7], reply[8], reply[9], reply[10] = denied, names, places, uncounted
end
return reply
