// Package chaos has only tests. They run a fleet of worker processes, a scheduler and a
// client that enqueues, on one Redis, inject one fault after the other, and compare a
// ledger that the jobs write with what Enqueue returned. `make chaos` runs the long form
// and writes the table in docs/reliability.md.
package chaos
