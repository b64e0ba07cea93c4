# Enqueues jobs that other processes enqueue at the same time, with a lock in the format of
# resque-lock. Prints how many it has enqueued. Arguments: the number of jobs, the number of
# processes.
require_relative 'arguments'

# Contended is locked as classes with the plugin resque-lock are.
class Contended
  @queue = :contended

  def self.before_enqueue_lock(*args)
    key = "lock:#{name}-#{args}"
    now = Time.now.to_i
    fresh = now + 3601
    return true if Resque.redis.setnx(key, fresh)
    return false if Resque.redis.get(key).to_i >= now

    Resque.redis.getset(key, fresh).to_i < now
  end
end

jobs, processes = ARGV.map(&:to_i)
won = 0
jobs.times do |id|
  Resque.redis.incr('turn')
  Thread.pass until Resque.redis.get('turn').to_i >= processes * (id + 1)
  won += 1 if Resque.enqueue(Contended, id)
end
print won
