// usage: enqueue.js FROM TO
// Enqueues the jobs FROM up to but not including TO.
"use strict";

const { Queue } = require("node-resque");
const { connection, mixed } = require("./mixed");

(async () => {
  const queue = new Queue({ connection });
  await queue.connect();
  const [from, to] = process.argv.slice(2).map(Number);
  for (let i = from; i < to; i++) await queue.enqueue("mixed", "Mixed", [i, ...mixed(i)]);
  await queue.end();
})();
