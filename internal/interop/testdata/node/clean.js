// Cleans up the worker named, or those whose jobs take longer than no time.
"use strict";

const { Queue } = require("node-resque");
const { connection } = require("./mixed");

(async () => {
  const queue = new Queue({ connection });
  queue.on("error", () => {}); // it finds no queues
  await queue.connect();
  const name = process.argv[2];
  await (name ? queue.forceCleanWorker(name) : queue.cleanOldWorkers(-1000));
  await queue.end();
})();
