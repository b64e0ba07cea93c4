# Writes what Resque::Worker returns for all workers, as JSON.
require_relative 'arguments'

def worker(w)
  {
    state: w.state, working: w.working?, idle: w.idle?, job: w.job, started: w.started,
    processed: w.processed, failed: w.failed, heartbeat: !w.heartbeat.nil?,
    queues: w.queues, host: w.hostname, pid: w.pid, exists: Resque::Worker.exists?(w.id)
  }
end

puts JSON.generate(
  all: Resque::Worker.all.map(&:id).sort,
  working: Resque::Worker.working.map(&:id).sort,
  expired: Resque::Worker.all_workers_with_expired_heartbeats.map(&:id),
  info: Resque.info.slice(:pending, :processed, :queues, :workers, :working, :failed),
  workers: Resque::Worker.all.to_h { |w| [w.id, worker(w)] }
)
