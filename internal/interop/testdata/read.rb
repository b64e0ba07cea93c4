# Writes what all reading methods of Resque return.
require_relative 'arguments'

# pages returns the failures that Resque::Failure.each yields, with their ids.
def pages(*args)
  [].tap { |pages| Resque::Failure.each(*args) { |id, failure| pages << [id, failure['error']] } }
end

id = Resque::Worker.all.first.id
worker = Resque::Worker.find(id)
puts JSON.generate(
  info: Resque.info.except(:servers, :environment),
  queues: Resque.queues.sort,
  sizes: Resque.queue_sizes,
  samples: Resque.sample_queues(2).slice('waiting'),
  keys: Resque.keys.sort,
  size: [Resque.size('waiting'), Resque.size(:waiting), Resque.size('nothing')],
  peek: [Resque.peek('waiting'), Resque.peek('waiting', 1, 2), Resque.peek('waiting', 2, 9), Resque.peek('nothing'), Resque.peek('nothing', 0, 2)],
  workers: Resque.workers.map(&:id),
  working: Resque.working.map { |w| [w.id, w.job] },
  found: [worker.id, worker.to_s, worker == Resque::Worker.attach(id), Resque::Worker.find('no:1:body')],
  exists: [Resque::Worker.exists?(id), Resque::Worker.exists?('no:1:body')],
  worker: [worker.state, worker.working?, worker.idle?, worker.processed, worker.failed, worker.queues, worker.paused?],
  job: worker.job,
  heartbeats: Resque::Worker.all_heartbeats.keys,
  stats: [Resque::Stat[:processed], Resque::Stat.get(:failed), Resque::Stat["processed:#{id}"], Resque::Stat[:nothing]],
  failures: {
    count: [Resque::Failure.count, Resque::Failure.count('failed', 'Exporter'), Resque::Failure.count(nil, 'Nobody')],
    queues: Resque::Failure.queues,
    all: Resque::Failure.all(0, 9),
    first: Resque::Failure.all,
    each: [pages, pages(0, 9, 'failed', nil, 'asc'), pages(1, 1), pages(0, 1, 'failed', 'Exporter'), pages(0, 9, 'failed', 'Nobody')]
  }
)
