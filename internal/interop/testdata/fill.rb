# Writes what a Ruby application writes: queues, jobs, failures, a worker that has
# performed some jobs and has a running one, and an idle worker. Prints the first
# worker's id.
require_relative 'arguments'

module Fine
  @queue = :exports
  def self.perform(*) = nil
end

module Broken
  @queue = :exports
  def self.perform(id, *) = raise(ArgumentError, "no export #{id} <b>ü</b>")
end

worker = Resque::Worker.new('exports', '*')
worker.register_worker
5.times { |i| Resque.enqueue(i.even? ? Fine : Broken, i, 'a' => [1.0, nil, "<&>\u2028"]) }
5.times { worker.perform(worker.reserve) }
Resque.enqueue(Fine, 6)
Resque.push('a/b c', class: 'Elsewhere', args: [])
Resque.enqueue(Fine, 7)
worker.working_on(worker.reserve)
worker.send(:heartbeat!)
Resque::Failure.requeue(0)
idle = Resque::Worker.new('mail')
idle.instance_variable_set(:@to_s, "other-host:17:mail")
idle.register_worker
puts worker.to_s
