// usage: clean.js [WORKER]
// Cleans up the given worker, or all workers with a running job.
"use strict";

const { Queue } = require("node-resque");
const { connection } = require("./mixed");

(async () => {
  const queue = new Queue({ connection });
  queue.on("error", () => {}); // expected: there are no queues
  await queue.connect();
  const name = process.argv[2];
  await (name ? queue.forceCleanWorker(name) : queue.cleanOldWorkers(-1000));
  await queue.end();
})();
