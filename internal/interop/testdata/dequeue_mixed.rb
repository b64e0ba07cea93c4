# Dequeues the jobs from the one number up to the other, in steps; writes the
# different counts. Without numbers, all jobs of the class.
require_relative 'mixed'

if ARGV.empty?
  puts Resque.dequeue(Mixed)
else
  from, to, step = ARGV.map(&:to_i)
  puts (from...to).step(step).map { |index| Resque.dequeue(Mixed, index, *mixed(index)) }.uniq
end
