-- Adds members to a batch and pushes their jobs. A chunk that is added already is not
-- added again, so that the call can be repeated if its reply was lost.
--
-- KEYS  the batch, the bits of its chunks, then the keys of the effects
-- ARGV  the number of the chunk,
--       how many members it has,
--       1 if a member of the batch adds them: it may until the batch is complete,
--       an outcome without counters (see outcome.lua): its effects push the jobs
-- returns 1 if the members are in the batch now, -1 if the batch does not exist, -2 if it
--         is sealed, -3 if it is canceled, or the text of an error: then they are not

next_key, next_arg = 3, 4
local _, effects = outcome()
local b = redis.call('HMGET', KEYS[1], 'next', 'sealed', 'cancelled', 'completed')
if not b[1] then
  return -1
elseif redis.call('GETBIT', KEYS[2], ARGV[1]) == 1 then
  return 1
elseif b[3] then
  return -3
elseif b[2] and (b[4] or ARGV[3] ~= '1') then
  return -2
end
local status = run(effects, true)
if status ~= 1 then
  return status
end
redis.call('SETBIT', KEYS[2], ARGV[1], 1)
redis.call('HINCRBY', KEYS[1], 'total', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'pending', ARGV[2])
return 1
