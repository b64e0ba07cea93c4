# Dequeues each line of arguments.rb by its arguments; writes the counts.
require_relative 'arguments'

puts JSON.generate(ARGUMENTS.map { |args| args.empty? ? nil : Resque.dequeue(Exporter, *args) })
