// Package store is the only package that talks to Redis. It knows Resque's keys and
// how their values are laid out. What the values mean is defined in package resque,
// and when they are read and written in packages exchange and worker.
//
// Payloads are opaque here. They are moved and spliced, never decoded and
// encoded again, so that unknown members, their order and the spelling of numbers
// are kept.
package store
