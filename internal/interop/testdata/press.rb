# Sends requests to Resque's front end, such as "post /failed/clear", and writes the
# statuses of the responses.
require_relative 'arguments'
ENV['RACK_ENV'] = 'test'
require 'resque/server'
require 'rack/mock'

Resque::Server.set :raise_errors, true
browser = Rack::MockRequest.new(Resque::Server)
puts JSON.generate(ARGV.map { |press| browser.public_send(*press.split).status })
