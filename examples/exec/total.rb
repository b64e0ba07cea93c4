#!/usr/bin/env ruby
# A job in Ruby, without Resque. It reads the payload from standard input.
#
#   goresque work --queue sums --exec 'Total=ruby examples/exec/total.rb'
#   goresque enqueue -q sums Total total.txt '[1, 2, 3.5]'
#
# An exception that is not rescued becomes the failure: Ruby prints its message on
# standard error and exits with status 1. TERM raises SignalException, so ensure
# blocks run.
require 'json'

path, numbers = JSON.parse($stdin.read).fetch('args')
raise ArgumentError, "not a list of numbers: #{numbers.inspect}" unless numbers.is_a?(Array)

File.write(path, "#{numbers.sum}\n")
