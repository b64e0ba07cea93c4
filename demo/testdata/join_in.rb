# Runs what the demo's page says to run in Ruby and Rails: the code on standard
# input, with as much of Rails around it as ActiveJob.
require 'resque'
require 'active_job'

# Resque 3.0 brings an adapter of its own, which needs Rails 7.2. Older ones have
# theirs, behind it in the load path.
unless ActiveJob::QueueAdapters.autoload?(:AbstractAdapter) || defined?(ActiveJob::QueueAdapters::AbstractAdapter)
  $LOAD_PATH.unshift(File.dirname($LOADED_FEATURES.grep(%r{/active_job\.rb\z}).first))
end

Resque.redis = ENV.fetch('REDIS_URL')
ActiveJob::Base.logger = Logger.new(nil)
ActiveJob::Base.queue_adapter = :resque
ApplicationJob = ActiveJob::Base

eval $stdin.read
