// Package wire reads and writes what Resque's programs leave in Redis apart from
// payloads: times, worker ids and worker records. Each has one parser and one
// formatter, used by every other package.
package wire
