// Performs the queue mixed until it is empty. Writes the numbers of the jobs, and the
// arguments that were wrong. Every hundredth job fails.
"use strict";

const { isDeepStrictEqual } = require("node:util");
const { Worker } = require("node-resque");
const { connection, mixed } = require("./mixed");

const seen = [];
const differ = [];
const jobs = {
  Mixed: async (i, ...args) => {
    seen.push(i);
    if (!isDeepStrictEqual(args, mixed(i))) differ.push([i, ...args]);
    if (i % 100 === 99) throw new TypeError(`no job ${i}`);
  },
};

(async () => {
  const worker = new Worker({ connection, queues: ["mixed"], timeout: 20 }, jobs);
  await worker.connect();
  await new Promise((resolve, reject) => {
    // A payload that its script cannot decode is an error, and the job is lost.
    worker.on("error", (error) => /script/.test(error.message) || reject(error));
    worker.on("pause", resolve); // the queue is empty
    worker.start();
  });
  await worker.end();
  console.log(JSON.stringify({ seen, differ }));
})();
