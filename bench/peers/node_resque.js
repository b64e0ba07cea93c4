// Runs a task of the bench with node-resque.
const { Queue, MultiWorker } = require('node-resque')
const Redis = require('ioredis')

async function main () {
  const task = JSON.parse(process.env.GORESQUE_BENCH_TASK)
  const [host, port] = task.addr.split(':')
  const connection = { pkg: 'ioredis', host, port: Number(port), namespace: 'resque' }
  const jobs = { Noop: { perform: async () => {} } }
  const queue = new Queue({ connection }, jobs)
  await queue.connect()
  let began
  if (task.kind === 'drain') {
    const worker = new MultiWorker({
      connection, queues: ['queue0'], minTaskProcessors: task.slots, maxTaskProcessors: task.slots,
      checkTimeout: 5, timeout: 5, maxEventLoopDelay: 1e9
    }, jobs)
    const redis = new Redis({ host, port: Number(port) })
    began = process.hrtime.bigint()
    worker.start()
    while (Number(await redis.get('resque:stat:processed')) < task.jobs) {
      await new Promise(resolve => setTimeout(resolve, 2))
    }
  } else {
    began = process.hrtime.bigint()
    await Promise.all(Array.from({ length: task.slots }, async (_, p) => {
      for (let i = p; i < task.jobs; i += task.slots) await queue.enqueue('queue0', 'Noop', [i])
    }))
  }
  const seconds = Number(process.hrtime.bigint() - began) / 1e9
  console.log(JSON.stringify({ rate: task.jobs / seconds }))
  process.exit(0)
}
main()
