# Starts a worker for the given queues, which prunes dead workers, and stops it before
# it takes a job.
require_relative 'arguments'

worker = Resque::Worker.new(*ARGV)
worker.prepare
worker.startup
worker.unregister_worker
