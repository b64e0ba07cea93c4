// Package interop holds tests alone: other Resques and goresque on one Redis,
// Ruby's own and npm's node-resque. make interop says what they need.
package interop
