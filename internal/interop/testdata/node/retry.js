// Retries every failure and writes how many it could retry.
"use strict";

const { Queue } = require("node-resque");
const { connection } = require("./mixed");

(async () => {
  const queue = new Queue({ connection });
  await queue.connect();
  let retried = 0;
  for (const failure of await queue.failed(0, -1)) {
    try {
      await queue.retryAndRemoveFailed(failure);
      retried++;
    } catch (error) {
      if (error.message !== "This job is not in failed queue") throw error;
    }
  }
  console.log(retried);
  await queue.end();
})();
