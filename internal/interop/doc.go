// Package interop has tests in which goresque shares a Redis with Ruby's Resque
// and with npm's node-resque. Run make interop to see what they need.
package interop
