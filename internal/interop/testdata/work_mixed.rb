# Performs the queue mixed until it is empty.
require_relative 'mixed'

Resque::Worker.new('mixed').work(0)
