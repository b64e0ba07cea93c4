package cli

import (
	"fmt"
	"slices"
	"strings"
)

// choice is a flag that takes one of a few words.
type choice struct {
	value string
	of    []string
}

// Set takes one of the words.
func (c *choice) Set(text string) error {
	if !slices.Contains(c.of, text) {
		return fmt.Errorf("want %s, got %q", strings.Join(c.of, " or "), text)
	}
	c.value = text
	return nil
}

func (c *choice) String() string { return c.value }

// Type names the value in the flag's help.
func (c *choice) Type() string { return strings.Join(c.of, "|") }
