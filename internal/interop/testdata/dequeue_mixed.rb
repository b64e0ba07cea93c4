# usage: dequeue_mixed.rb [FROM TO STEP]
# Dequeues the jobs FROM up to but not including TO, every STEPth, and writes the
# distinct numbers of jobs that a call removed. Without arguments it dequeues all
# jobs of the class.
require_relative 'mixed'

if ARGV.empty?
  puts Resque.dequeue(Mixed)
else
  from, to, step = ARGV.map(&:to_i)
  puts (from...to).step(step).map { |index| Resque.dequeue(Mixed, index, *mixed(index)) }.uniq
end
