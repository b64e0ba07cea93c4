# Boots a worker for the queues given, which prunes, and stops it: it takes no job.
require_relative 'arguments'

worker = Resque::Worker.new(*ARGV)
worker.prepare
worker.startup
worker.unregister_worker
