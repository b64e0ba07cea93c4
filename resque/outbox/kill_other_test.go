//go:build !unix

package outbox

import "testing"

// killCases returns no cases: there is no kill -9.
func killCases() map[string]func(t *testing.T, f *fixture) { return nil }
