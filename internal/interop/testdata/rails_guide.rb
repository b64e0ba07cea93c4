# The Rails side of docs/rails.md, without the rest of Rails. "enqueue ID" enqueues an
# ExportJob, "work QUEUE" performs a queue.
require 'resque'
require 'active_job'
require 'global_id'

# Resque 3.0 has an adapter, which needs Rails 7.2. Older Rails has its own adapter,
# which comes after Resque's in the load path.
unless ActiveJob::QueueAdapters.autoload?(:AbstractAdapter) || defined?(ActiveJob::QueueAdapters::AbstractAdapter)
  $LOAD_PATH.unshift(File.dirname($LOADED_FEATURES.grep(%r{/active_job\.rb\z}).first))
end

Resque.redis = ENV.fetch('REDIS_URL')
Resque.logger.level = Logger::FATAL
ActiveJob::Base.logger = Logger.new(nil)
GlobalID.app = 'shop'
require_relative '../../../examples/rails/jobs'

case ARGV[0]
when 'enqueue' then ExportJob.perform_later(Integer(ARGV[1]), format: 'pdf')
when 'work'
  ENV['FORK_PER_JOB'] = 'false'
  Resque::Worker.new(ARGV[1]).work(0)
end
