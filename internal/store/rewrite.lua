-- Replaces a worker's record, if it is still the one of the caller's reserve.
--
-- KEYS  the record
-- ARGV  how the record begins, the new record
-- returns 1 replaced, 0 the record is another one by now, or gone

local record, guard, text = KEYS[1], ARGV[1], ARGV[2]

if redis.call('GETRANGE', record, 0, #guard - 1) ~= guard then
  return 0
end
redis.call('SET', record, text)
return 1
