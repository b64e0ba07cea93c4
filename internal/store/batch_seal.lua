-- Seals a batch, or cancels it, which also seals it. If all members have ended, the
-- callbacks are pushed. A second call pushes callbacks that could not be pushed.
--
-- KEYS  the batch, the bits of its ended, failed and abandoned members and of its chunks,
--       goresque:batches, queues, and the lists of the queues of the callbacks complete
--       and success
-- ARGV  1 to cancel it, else 0,
--       the callbacks that the caller has read,
--       the id of the batch, the names of the queues of the callbacks
-- returns 1 if the batch is sealed, 0 if it does not exist, the callbacks in a table, if
--         one is due and they are not those that the caller has read: then nothing is
--         written; or the text of an error

local hash = KEYS[1]
local b = redis.call('HMGET', hash, 'next', 'pending', 'failed')
if not b[1] then
  return 0
end
local due
if (tonumber(b[2]) or 0) <= 0 then
  due = batch_due(hash, tonumber(b[3]) or 0)
  due.success = due.success and ARGV[1] ~= '1'
  if (due.complete or due.success) and due.callbacks ~= ARGV[2] then
    return {due.callbacks}
  end
end
local now = batch_now()
redis.call('HSETNX', hash, 'sealed', now)
if ARGV[1] == '1' then
  redis.call('HSETNX', hash, 'cancelled', now)
end
if due and (due.complete or due.success) then
  local err = batch_close(hash, 2, 3, due)
  return err and err.err or 1
end
return 1
