-- Replaces a worker's record, if it is still the one of the caller's reserve.
--
-- KEYS  the record
-- ARGV  the beginning of the caller's record, the new record
-- returns 1 if the record is replaced, 0 if it is another one or does not exist

local record, guard, text = KEYS[1], ARGV[1], ARGV[2]

if redis.call('GETRANGE', record, 0, #guard - 1) ~= guard then
  return 0
end
redis.call('SET', record, text)
return 1
