#!/usr/bin/env ruby
# A job in Ruby, without Resque: the whole payload is on standard input.
#
#   goresque work --queue sums --exec 'Total=ruby examples/exec/total.rb'
#   goresque enqueue -q sums Total total.txt '[1, 2, 3.5]'
#
# An exception that nobody rescues ends with status 1 and its message on standard
# error: it becomes the failure's. TERM raises SignalException, so ensure works.
require 'json'

path, numbers = JSON.parse($stdin.read).fetch('args')
raise ArgumentError, "not a list of numbers: #{numbers.inspect}" unless numbers.is_a?(Array)

File.write(path, "#{numbers.sum}\n")
