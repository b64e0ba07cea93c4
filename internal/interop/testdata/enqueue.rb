# Enqueues one job for each line of arguments.rb.
require_relative 'arguments'

ARGUMENTS.each { |args| Resque.enqueue(Exporter, *args) }
