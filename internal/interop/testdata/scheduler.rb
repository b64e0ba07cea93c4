# Runs Ruby's scheduler.
require 'resque'
require 'resque-scheduler'

Redis.silence_deprecations = true if Redis.respond_to?(:silence_deprecations=)
Resque.redis = ENV.fetch('REDIS_URL')
Resque::Scheduler.configure do |c|
  c.quiet = true
  c.poll_sleep_amount = 0.1
  c.dynamic = ENV.key?('DYNAMIC')
end
Resque::Scheduler.run
