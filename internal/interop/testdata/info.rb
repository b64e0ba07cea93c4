# Writes Resque.info.
require_relative 'arguments'

puts JSON.generate(Resque.info.slice(:pending, :processed, :queues, :workers, :working, :failed))
