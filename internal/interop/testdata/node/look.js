// Writes what node-resque's reading methods return.
"use strict";

const { Queue } = require("node-resque");
const { connection } = require("./mixed");

(async () => {
  const queue = new Queue({ connection });
  await queue.connect();
  console.log(JSON.stringify({
    queues: (await queue.queues()).sort(),
    length: await queue.length("mixed"),
    workers: await queue.workers(),
    working: await queue.allWorkingOn(),
    stats: await queue.stats(),
    failed: await queue.failed(0, -1),
    failedCount: await queue.failedCount(),
  }));
  await queue.end();
})();
