//go:build !linux

package cli

// argv is where a title would be written; other systems show the command as it
// was called.
type argv struct{}

func takeArgv() *argv { return &argv{} }

func (*argv) grow(string) {}

func (*argv) write(string) {}
