# A task of the bench for Ruby's Resque.
require 'resque'
require 'json'

task = JSON.parse(ENV.fetch('GORESQUE_BENCH_TASK'))
ENV['FORK_PER_JOB'] = 'false'
Resque.redis = "redis://#{task['addr']}"
Resque.logger = Logger.new(File::NULL)

class Noop
  @queue = :queue0
  def self.perform(_id); end
end

Resque.redis.ping
began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
if task['kind'] == 'drain'
  Resque::Worker.new('queue0').work(0)
else
  task['jobs'].times { |i| Resque.enqueue(Noop, i) }
end
puts JSON.generate(rate: task['jobs'] / (Process.clock_gettime(Process::CLOCK_MONOTONIC) - began))
