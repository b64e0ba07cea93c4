// Takes a job of the queue mixed, writes "begun", and never ends the job.
"use strict";

const { Worker } = require("node-resque");
const { connection } = require("./mixed");

(async () => {
  const jobs = {
    Mixed: () => {
      console.log("begun");
      return new Promise(() => {});
    },
  };
  const worker = new Worker({ connection, queues: ["mixed"], timeout: 20, name: "peer:7" }, jobs);
  await worker.connect();
  await worker.start();
})();
