-- The locks of Ruby's plugins, for scripts that push, admit and finish jobs.
--
-- The text of a lock has a form. If the form is time, it begins with the last second in
-- which the lock is held, as in Ruby, whose locks do not expire. Otherwise it is any text.

local locks = {}

-- fault returns an error of redis.pcall, or nil.
local function fault(reply)
  return type(reply) == 'table' and reply.err and reply or nil
end

function locks.seconds()
  locks.now = locks.now or tonumber(redis.call('TIME')[1])
  return locks.now
end

-- text returns the text of a lock: of a long one the beginning, and the end, which has the
-- token.
function locks.text(k)
  local text = redis.pcall('GETRANGE', k, 0, 65535)
  return #text < 65536 and text or text .. redis.call('GETRANGE', k, -65536, -1)
end

-- held reports whether a lock is held, other than with the given token if that is not ''.
-- It returns an error of redis.pcall as the second value.
function locks.held(k, form, token)
  local text = locks.text(k)
  if fault(text) then
    return true, text
  end
  if text == '' or token ~= '' and text:find(token, 1, true) then
    return false
  end
  local last = form == 'time' and tonumber(text:match('^%s*%-?%d+') or 'text')
  return not last or locks.seconds() <= last
end

-- set takes a lock for ttl milliseconds after wait seconds. If the form is time, value is a
-- number of seconds, which are added, and perhaps more text. It returns an error of
-- redis.pcall, or nil, and whether it has taken the lock. If free is true, it takes only a
-- lock whose key does not exist.
function locks.set(k, form, value, ttl, wait, free)
  if form == 'time' then
    local plus, rest = value:match('^(%-?%d+)(.*)$')
    value = string.format('%.0f', locks.seconds() + wait + tonumber(plus)) .. rest
  end
  ttl = wait == 0 and ttl or string.format('%.0f', wait * 1000 + tonumber(ttl))
  local reply
  if free then
    reply = redis.pcall('SET', k, value, 'PX', ttl, 'NX')
  else
    reply = redis.pcall('SET', k, value, 'PX', ttl)
  end
  return fault(reply), reply and true
end

-- take takes a lock for a job that waits. It returns nil, or 'held' or the text of an error. Most locks are
-- free, so it looks only if it cannot take the lock.
function locks.take(k, wait, form, value, ttl)
  local err, taken = locks.set(k, form, value, ttl, wait, true)
  if not err and not taken then
    local held
    held, err = locks.held(k, form, '')
    if held and not err then
      return 'held'
    end
    err = err or locks.set(k, form, value, ttl, wait)
  end
  return err and err.err
end

-- own reports whether a lock belongs to a job that began age milliseconds ago. A lock that
-- was taken since then is another job's: the job's own has expired. When a lock was taken
-- follows from how long it still lives, because it lives for ttl in all. Locks of Ruby do
-- not expire, and those of jobs that were delayed live longer: such a lock is the job's own
-- unless the job has run for longer than ttl. What is not a string is not a lock.
function locks.own(k, ttl, age)
  ttl = tonumber(ttl)
  local since = ttl - redis.call('PTTL', k)
  age = tonumber(age)
  local own = since < 0 and age < ttl or since >= 0 and since >= age or since > ttl
  return own and type(redis.pcall('STRLEN', k)) == 'number'
end

-- free frees a lock. keys[2] is the set of such locks, or the lock if there is none.
function locks.free(keys, member)
  if keys[2] ~= keys[1] then
    redis.pcall('SREM', keys[2], member)
  end
  return fault(redis.pcall('DEL', keys[1]))
end

-- list adds a lock to the set of such locks, if there is one.
function locks.list(keys, member)
  return keys[2] ~= keys[1] and fault(redis.pcall('SADD', keys[2], member)) or nil
end
