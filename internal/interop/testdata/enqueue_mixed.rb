# usage: enqueue_mixed.rb FROM TO
# Enqueues the jobs FROM up to but not including TO.
require_relative 'mixed'

(ARGV[0].to_i...ARGV[1].to_i).each { |index| Resque.enqueue(Mixed, index, *mixed(index)) }
