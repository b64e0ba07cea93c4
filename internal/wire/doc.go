// Package wire parses and formats the values that Resque implementations store in Redis,
// apart from payloads: times, worker ids and worker records. Each has one parser and one
// formatter, which all other packages use.
package wire
