# ActiveJob on Resque, without the rest of Rails. "enqueue" pushes jobs to the queue
# rails. "work" performs that queue and writes what each job received, as JSON.
# "dequeue" removes a job. Its arguments are in ARGV[1], as JSON.
require 'json'
require 'resque'
require 'active_job'
require 'active_support/all'
require 'bigdecimal'
require 'global_id'

# Resque 3.0 has an adapter, which needs Rails 7.2. Older Rails has its own adapter,
# which comes after Resque's in the load path.
unless ActiveJob::QueueAdapters.autoload?(:AbstractAdapter) || defined?(ActiveJob::QueueAdapters::AbstractAdapter)
  $LOAD_PATH.unshift(File.dirname($LOADED_FEATURES.grep(%r{/active_job\.rb\z}).first))
end

Resque.redis = ENV.fetch('REDIS_URL')
Resque.logger.level = Logger::FATAL
ActiveJob::Base.logger = Logger.new(nil)
ActiveJob::Base.queue_adapter = :resque
GlobalID.app = 'shop'
Time.zone = 'UTC'
I18n.available_locales = %i[en fr]

Person = Struct.new(:id) do
  include GlobalID::Identification
  def self.find(id) = new(id.to_i)
end

SEEN = []

class RailsJob < ActiveJob::Base
  queue_as :rails
  class Flaky < StandardError; end
  rescue_from(Flaky) { |e| SEEN << ['gave up', executions, exception_executions]; raise e }

  def perform(*args, **words)
    SEEN << [args.map { |a| see(a) }, words.transform_values { |v| see(v) }, job_id, executions, I18n.locale, Time.zone&.name]
    raise Flaky, 'again' if args.first == 'flaky'
  end

  # Returns a value with its class, so that values of different classes differ.
  def see(value)
    case value
    when Array then value.map { |v| see(v) }
    when Hash then [value.class.name, value.map { |k, v| [k.inspect, see(v)] }]
    when ActiveSupport::TimeWithZone then ['TimeWithZone', value.utc.iso8601(9)]
    when Time, DateTime then [value.class.name, value.iso8601(9)]
    when ActiveSupport::Duration then ['Duration', value.parts.to_a.inspect] # an array in Rails 6.1
    when Person then ['Person', value.id]
    else [value.class.name, value.is_a?(BigDecimal) ? value.to_s('F') : value.to_s]
    end
  end
end

case ARGV[0]
when 'enqueue'
  noon = Time.utc(2026, 1, 15, 12, 34, 56, 789_012)
  [
    [], [1, -2**63, 10**25, 1.5, 1e20], ['', "<b>&\u2028é", nil, true, false], [:sym, [:a, ['b']]],
    [{ 'b' => 1, 'a' => { c: :d } }, { 'x' => { y: 1 } }.with_indifferent_access],
    [noon, noon.in_time_zone('Europe/Stockholm'), noon.to_datetime, Date.new(2026, 1, 15), 90.minutes, 1.month],
    [BigDecimal('1.10'), Person.new(5), Kernel]
  ].each { |args| RailsJob.perform_later(*args) }
  RailsJob.perform_later(7, format: :csv, limit: 3)
  RailsJob.perform_later('flaky')
when 'work'
  ENV['FORK_PER_JOB'] = 'false'
  Resque::Worker.new('rails').work(0)
  failures = Resque::Failure.all(0, 50) || []
  puts JSON.generate(seen: SEEN, failures: [failures].flatten.map { |f| f.slice('exception', 'error') })
when 'dequeue'
  puts Resque::Job.destroy('rails', 'Exporter', *JSON.parse(ARGV[1]))
end
