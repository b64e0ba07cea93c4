// The arguments of a sequence of jobs, in the order of node_test.go. They are values
// that JavaScript has, so there are no integers beyond 2**53.
"use strict";

const kinds = [
  (i) => [i * 1e9 + 0.5, (i + 1) / -7, 1e21 + i * 1e18, i * 1e-9],
  (i) => [String.fromCodePoint(0x1f300 + (i % 256)).repeat(i % 9), `\u2028<${i}>&`],
  (i) => [{ id: i, list: [null, [], {}, [String(i)]], name: `n°${i}` }],
  (i) => ["<é&\u2028>".repeat(i % 500)],
  (i) => [Array.from({ length: i % 40 }).reduce((inner) => [inner], [])],
  () => [null, true, false, "", "tab\tline\nquote\"back\\slash/", "\u007f\u0001"],
  () => [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0],
  () => [],
];

exports.mixed = (i) => kinds[i % kinds.length](i);

const url = new URL(process.env.REDIS_URL);
exports.connection = { host: url.hostname, port: Number(url.port) };
