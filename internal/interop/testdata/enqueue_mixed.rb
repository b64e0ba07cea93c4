# Enqueues the jobs from the one number up to the other.
require_relative 'mixed'

(ARGV[0].to_i...ARGV[1].to_i).each { |index| Resque.enqueue(Mixed, index, *mixed(index)) }
