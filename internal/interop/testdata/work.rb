# Performs the queue exports until it is empty and checks that the jobs have the
# arguments of arguments.rb, in value and type. Writes the differences.
require_relative 'arguments'

GOT = []
def Exporter.perform(*args) = GOT << args

ENV['FORK_PER_JOB'] = 'false'
Resque::Worker.new('exports').work(0)

puts "#{GOT.size} jobs instead of #{ARGUMENTS.size}" if GOT.size != ARGUMENTS.size
ARGUMENTS.zip(GOT) { |want, got| puts "want #{want.inspect}, got #{got.inspect}" unless same?(want, got) }
puts Resque::Failure.all(0, 20).inspect if Resque::Failure.count > 0
