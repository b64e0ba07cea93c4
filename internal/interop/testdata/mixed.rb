# The arguments of a sequence of jobs, of every kind, in the order of mixed_test.go,
# and a class that checks them. Jobs report through Redis, because each may run in a
# new process.
require_relative 'arguments'

KINDS = [
  ->(i) { [(i + 7)**23 * (i.even? ? 1 : -1)] },
  ->(i) { [i / 7.0, i * -1.0e15, i * 1.0e-9] },
  ->(i) { [[0x1F300 + i % 256].pack('U') * (i % 9), "\u2028<#{i}>&"] },
  ->(i) { [{ 'id' => i, 'list' => [nil, [], {}, [i.to_s]], 'name' => "n°#{i}" }] },
  ->(i) { ["<é&\u2028>" * (i % 500)] },
  ->(i) { [(i % 40).times.inject([]) { |inner, _| [inner] }] },
  ->(_) { [] }
].freeze

def mixed(index) = ARGUMENTS[index % ARGUMENTS.size] + KINDS[index % KINDS.size].call(index)

module Mixed
  @queue = :mixed

  FAIL = ENV['FAIL']&.to_i # of so many jobs, the last one fails

  def self.perform(index, *args)
    Resque.redis.lpush('seen:ruby', index)
    Resque.redis.lpush('differs', "#{index}: #{args.inspect}") unless same?(args, mixed(index))
    meet if ENV['MEET']
    raise "no job #{index}" if FAIL && index % FAIL == FAIL - 1
  end

  # Waits until Go performs a job, and lets Go know that Ruby does.
  def self.meet
    Resque.redis.lpush('here:ruby', 1)
    Resque.redis.blpop('here:go', timeout: 120) if Resque.redis.set('met', 1, nx: true)
  end
end
