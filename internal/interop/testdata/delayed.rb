# Delays, finds and cancels jobs with resque-scheduler. The commands come on standard
# input, one JSON array in each line: a method of Resque and its arguments. A string that
# begins with a colon is a class. Prints the results as a JSON array.
require 'json'
require 'resque'
require 'resque-scheduler'

Redis.silence_deprecations = true if Redis.respond_to?(:silence_deprecations=)
Resque.redis = ENV.fetch('REDIS_URL')

module Mail
  @queue = :mail

  def self.perform(*) = nil
end

def argument(value)
  value.is_a?(String) && value.start_with?(':') ? Object.const_get(value[1..]) : value
end

results = $stdin.each_line.map do |line|
  name, *args = JSON.parse(line)
  if name == 'find_delayed_selection' || name == 'remove_delayed_selection'
    Resque.public_send(name, *args.map { |a| argument(a) }) { true }
  else
    Resque.public_send(name, *args.map { |a| argument(a) })
  end
end
puts JSON.generate(results)
