# usage: failure.rb METHOD [ARGUMENT...]
# Calls a method of Resque::Failure.
require_relative 'arguments'

name, *args = ARGV
Resque::Failure.public_send(name, *args.map { |arg| Integer(arg, exception: false) || arg })
