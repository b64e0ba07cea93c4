// Package pattern has regular expressions that are compiled when they are first used. A
// package variable with regexp.MustCompile would be compiled at the start of every process,
// of each child process also.
package pattern

import (
	"regexp"
	"sync"
)

// Pattern is a regular expression. A package variable of this type costs nothing at the
// start of the program. It is safe for concurrent use.
type Pattern struct {
	Text string

	once sync.Once
	made *regexp.Regexp
}

// Regexp returns the compiled expression. It panics if Text is not valid.
func (p *Pattern) Regexp() *regexp.Regexp {
	p.once.Do(func() { p.made = regexp.MustCompile(p.Text) })
	return p.made
}
