// Package interop has tests only: real Ruby Resque and goresque on one Redis.
// They run wherever ruby -rresque works, for instance with RUBYLIB at the lib
// folder of a checkout of Resque.
package interop
