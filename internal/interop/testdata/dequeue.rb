# Dequeues the job of each line of arguments.rb and writes how many were removed.
require_relative 'arguments'

puts JSON.generate(ARGUMENTS.map { |args| args.empty? ? nil : Resque.dequeue(Exporter, *args) })
