// Package store is the one place that speaks Redis: it knows Resque's keys and
// the bytes under them, and nothing of what those bytes mean or when to touch
// them. Package resque knows the meaning, package worker the moment.
//
// Payloads are opaque here. They are moved and spliced, never decoded and
// encoded again, so that unknown keys, key order and the spelling of numbers
// survive every move.
package store
