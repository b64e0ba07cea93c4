# Moves all due jobs with Ruby's scheduler and prints how many seconds that took.
require 'resque'
require 'resque-scheduler'

Redis.silence_deprecations = true if Redis.respond_to?(:silence_deprecations=)
Resque.redis = "redis://#{ARGV[0]}"
Resque.logger = Logger.new(File::NULL)
Resque::Scheduler.quiet = true
Resque.redis.ping
began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
Resque::Scheduler.handle_delayed_items
puts Process.clock_gettime(Process::CLOCK_MONOTONIC) - began
