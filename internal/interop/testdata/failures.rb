# Writes the failures as Ruby reads them, and requeues each.
require_relative 'arguments'

puts JSON.generate(count: Resque::Failure.count, all: Array(Resque::Failure.all(0, 100)))
Resque::Failure.count.times { |index| Resque::Failure.requeue(index) }
