package worker_test

import (
	"cmp"
	"log/slog"
	"os"
	"testing"
)

// quiet is the logger of workers whose lines a test does not read: they are
// shown when the test fails.
func quiet(t *testing.T, given *slog.Logger) *slog.Logger {
	t.Helper()
	return cmp.Or(given, slog.New(slog.NewTextHandler(t.Output(), nil)))
}

// knownBug skips the rest of a test that shows a bug which is reported but not
// mended, unless GORESQUE_KNOWN_BUGS is set. Who mends it takes the call away.
func knownBug(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("GORESQUE_KNOWN_BUGS") == "" {
		t.Skip("known bug: " + what)
	}
}
