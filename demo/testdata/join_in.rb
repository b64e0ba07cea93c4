# Runs the code on standard input, which is what the demo's page shows for Ruby and
# Rails. It loads ActiveJob, but not the rest of Rails.
require 'resque'
require 'active_job'

# Resque 3.0 contains an adapter that needs Rails 7.2. With older Rails, use the
# adapter of Rails, which comes later in the load path.
unless ActiveJob::QueueAdapters.autoload?(:AbstractAdapter) || defined?(ActiveJob::QueueAdapters::AbstractAdapter)
  $LOAD_PATH.unshift(File.dirname($LOADED_FEATURES.grep(%r{/active_job\.rb\z}).first))
end

Resque.redis = ENV.fetch('REDIS_URL')
ActiveJob::Base.logger = Logger.new(nil)
ActiveJob::Base.queue_adapter = :resque
ApplicationJob = ActiveJob::Base

eval $stdin.read
