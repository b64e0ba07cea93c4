# Performs one job of the queue shared with resque-retry, or more if ARGV[0] says so, and
# prints the number of each attempt, from 0. Jobs fail unless the environment has SUCCEED.
# With the argument "keys" it prints the keys of the jobs whose arguments it reads.
require 'json'
require 'resque'
require 'resque-retry'
require 'resque/failure/redis'

Resque.redis = ENV.fetch('REDIS_URL')
Resque.logger.level = Logger::FATAL
Resque::Failure::MultipleWithRetrySuppression.classes = [Resque::Failure::Redis]
Resque::Failure.backend = Resque::Failure::MultipleWithRetrySuppression

class Shared
  extend Resque::Plugins::Retry
  @queue = :shared
  @retry_limit = 6
  ATTEMPTS = []

  def self.perform(*)
    ATTEMPTS << retry_attempt
    raise 'failed in Ruby' unless ENV['SUCCEED']
  end
end

if ARGV[0] == 'keys'
  puts JSON.generate(JSON.parse($stdin.read).map { |args| Shared.redis_retry_key(*args) })
  exit
end

worker = Resque::Worker.new('shared')
worker.fork_per_job = false if worker.respond_to?(:fork_per_job=)
worker.prepare
ARGV.fetch(0, 1).to_i.times { worker.work_one_job }
worker.unregister_worker
puts JSON.generate(Shared::ATTEMPTS)
