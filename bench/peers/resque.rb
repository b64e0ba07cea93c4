# Runs a task of the bench with Ruby's Resque.
require 'resque'
require 'json'

task = JSON.parse(ENV.fetch('GORESQUE_BENCH_TASK'))
forks = task['kind'] == 'forks'
ENV['FORK_PER_JOB'] = 'false' unless forks
Resque.redis = "redis://#{task['addr']}"
Resque.logger = Logger.new(File::NULL)

class Noop
  @queue = :queue0
  def self.perform(_id); end
end

Resque.redis.ping
began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
if forks
  workers = Array.new(task['slots']) do
    fork do
      Resque.redis = "redis://#{task['addr']}"
      Resque::Worker.new('queue0').work(0)
    end
  end
  workers.each { |pid| Process.wait(pid) }
elsif task['kind'] == 'drain'
  Resque::Worker.new('queue0').work(0)
else
  task['jobs'].times { |i| Resque.enqueue(Noop, i) }
end
puts JSON.generate(rate: task['jobs'] / (Process.clock_gettime(Process::CLOCK_MONOTONIC) - began))
