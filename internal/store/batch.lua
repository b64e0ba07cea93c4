-- Batches. This is the beginning of the scripts in which members end or batches are
-- sealed.
--
-- A batch is a hash with the fields
--       next       how many numbers were given to members: each number is lower
--       total, pending, failed, abandoned, skipped
--                  how many members there are, have not ended, have failed when they
--                  ended last, have failed and cannot succeed any more because they were
--                  removed, and ended without being performed
--       sealed, cancelled, completed, succeeded
--                  when that was, in ms since 1970
--       complete, success
--                  the payloads of the callbacks
--       callbacks  the queues of the callbacks, as a text that the caller can parse
--       keep       how long the batch is kept after its last callback was pushed, in ms
--       fault      why it cannot be counted or completed
-- and strings with a bit for each member: whether it has ended, has failed, and is
-- abandoned.

-- batch_due returns which callbacks are due if all members have ended.
local function batch_due(hash, failed)
  local b = redis.call('HMGET', hash, 'completed', 'succeeded', 'cancelled', 'callbacks')
  return {
    complete = not b[1],
    success = failed == 0 and not b[2] and not b[3],
    callbacks = b[4] or '',
  }
end

local function batch_now()
  local now = redis.call('TIME')
  return now[1] .. ('%03d'):format(math.floor(now[2] / 1000))
end

-- batch_fault notes why a batch cannot be counted. It returns an error that may be
-- temporary, and nil for one that is not: then the job ends without its batch.
local function batch_fault(hash, reply)
  if not reply.err:find('WRONGTYPE', 1, true) and not reply.err:find('^ERR ') then
    return reply
  end
  redis.pcall('HSET', hash, 'fault', 'a key of the batch or of a queue of its callbacks has another type')
end

-- batch_close pushes the callbacks that are due. KEYS has from at on the bits of ended,
-- failed and abandoned members and of added chunks, goresque:batches, queues, and the
-- lists of the queues of complete and success. ARGV has from arg on the id of the batch
-- and the names of these queues.
local function batch_close(hash, at, arg, due)
  local now = batch_now()
  local function push(name, list, queue, field)
    local payload = redis.call('HGET', hash, name)
    local reply = payload and redis.pcall('SADD', KEYS[at + 5], queue)
    if type(reply) == 'number' then -- after the set, so that an error of it leaves no job that is pushed again
      reply = redis.pcall('RPUSH', list, payload)
    end
    if type(reply) == 'table' then
      return batch_fault(hash, reply) or 'fault'
    end
    redis.call('HSET', hash, field, now)
    redis.call('HDEL', hash, 'fault')
  end
  local err = due.complete and push('complete', KEYS[at + 6], ARGV[arg + 1], 'completed')
    or due.success and push('success', KEYS[at + 7], ARGV[arg + 2], 'succeeded')
  if err then
    return err ~= 'fault' and err or nil
  end
  local keep = redis.call('HGET', hash, 'keep') or '0'
  redis.call('PEXPIRE', hash, keep)
  redis.pcall('ZADD', KEYS[at + 4], ('%.0f'):format(tonumber(now) + tonumber(keep)), ARGV[arg])
  for i = 0, 3 do
    if due.success then
      redis.call('DEL', KEYS[at + i])
    else
      redis.call('PEXPIRE', KEYS[at + i], keep)
    end
  end
end

-- batch_set sets the bit of a member and changes the field that counts such bits. It
-- returns an error, if there is one.
local function batch_set(hash, field, bits, n, before, after)
  if before == after then
    return nil
  end
  local reply = redis.pcall('SETBIT', bits, n, after)
  if type(reply) == 'table' then
    return batch_fault(hash, reply) or {err = ''}
  end
  redis.call('HINCRBY', hash, field, field == 'pending' and -1 or after - before)
end

-- What becomes of the bits failed and abandoned when a member ends; nil: nothing.
local batch_failed = {done = 0, failed = 1, removed = 1}
local batch_abandoned = {done = 0, failed = 0, removed = 1, forgotten = 1, restored = 0}

-- batch_end counts the end of a member. KEYS has from at on the bits of ended, failed and
-- abandoned members, and what batch_close needs if more is not 3. ARGV has from arg on the
-- number of the member, how it ended, the callbacks that the caller has read ('' if it has
-- not), and what batch_close needs. A member ends as
--       done, failed
--       skipped    it was not performed
--       removed    it was removed from its queue
--       forgotten  it has failed before, and its failure is removed now
--       restored   it was removed or forgotten before, and can be performed again
--
-- To count the same end again changes nothing. A member that failed and is performed
-- again counts as it ended last. batch_end returns nil, an error, or the callbacks, if
-- one is due and they are not those that the caller has read: then nothing is written.
local function batch_end(hash, at, more, arg)
  local n, how = tonumber(ARGV[arg]), ARGV[arg + 1]
  local b = redis.pcall('HMGET', hash, 'next', 'pending', 'failed', 'sealed', 'succeeded', 'abandoned')
  if b.err then
    return batch_fault(hash, b)
  end
  if not b[1] or n >= tonumber(b[1]) or b[5] then
    return nil -- the batch has expired or is over
  end
  local pending, failed, abandoned = tonumber(b[2]) or 0, tonumber(b[3]) or 0, tonumber(b[6]) or 0
  if how == 'done' and failed == 0 and abandoned == 0 and not (b[4] and pending <= 1) then
    -- This is what most members do: it saves half of the time.
    local before = redis.pcall('SETBIT', KEYS[at], n, 1)
    if type(before) == 'table' then
      return batch_fault(hash, before)
    elseif before == 0 then
      redis.call('HINCRBY', hash, 'pending', -1)
    end
    return nil
  end
  local bits, fault = {0, 0, 0}, nil
  for i, read in ipairs({true, failed > 0 or batch_failed[how] == 1, abandoned > 0 or batch_abandoned[how] == 1}) do
    if read then
      bits[i] = redis.pcall('GETBIT', KEYS[at + i - 1], n)
      if type(bits[i]) == 'table' then
        return batch_fault(hash, bits[i])
      end
    end
  end
  local ends = how ~= 'forgotten' and how ~= 'restored'
  if not ends and bits[2] == 0 then
    return nil -- it is performed again, or has succeeded
  end
  local fails = batch_failed[how] or bits[2]
  local due
  if ends and b[4] and pending - (1 - bits[1]) <= 0 then
    due = batch_due(hash, failed + fails - bits[2])
    if not due.complete and not due.success then
      due = nil
    elseif more == 3 or due.callbacks ~= ARGV[arg + 2] then
      return due.callbacks
    end
  end
  fault = batch_set(hash, 'failed', KEYS[at + 1], n, bits[2], fails)
    or batch_set(hash, 'abandoned', KEYS[at + 2], n, bits[3], batch_abandoned[how] or bits[3])
    or ends and batch_set(hash, 'pending', KEYS[at], n, bits[1], 1)
  if fault then
    return fault.err ~= '' and fault or nil
  end
  if how == 'skipped' and bits[1] == 0 then
    redis.call('HINCRBY', hash, 'skipped', 1)
  end
  if due then
    return batch_close(hash, at, arg + 3, due)
  end
end

