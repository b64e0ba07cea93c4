# Runs a task of the bench with Sidekiq. The time ends with the last handler, because
# Sidekiq does not acknowledge jobs and writes its counters every few seconds.
require 'sidekiq'
require 'sidekiq/launcher'
require 'json'

task = JSON.parse(ENV.fetch('GORESQUE_BENCH_TASK'))
url = "redis://#{task['addr']}"
Sidekiq.logger.level = Logger::FATAL
Sidekiq.configure_client { |c| c.redis = { url: url, size: task['slots'] + 5 } }
Sidekiq.redis = { url: url, size: task['slots'] + 5 }

class Noop
  include Sidekiq::Worker
  sidekiq_options queue: 'queue0', retry: false
  COUNT = Queue.new
  def perform(_id)
    COUNT << 1
  end
end

clock = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }
if task['kind'] == 'drain'
  task['jobs'].times.each_slice(1000) { |some| Sidekiq::Client.push_bulk('class' => Noop, 'args' => some.map { |i| [i] }) }
  options = Sidekiq.options.merge(queues: ['queue0'], concurrency: task['slots'], strict: true)
  options[:fetch] = Sidekiq::BasicFetch.new(options)
  launcher = Sidekiq::Launcher.new(options)
  began = clock.call
  launcher.run
  task['jobs'].times { Noop::COUNT.pop }
else
  began = clock.call
  Array.new(task['slots']) do |t|
    Thread.new { (t...task['jobs']).step(task['slots']) { |i| Noop.perform_async(i) } }
  end.each(&:join)
end
puts JSON.generate(rate: task['jobs'] / (clock.call - began))
$stdout.flush
exit!(0)
