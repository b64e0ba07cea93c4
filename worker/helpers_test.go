package worker_test

import (
	"cmp"
	"log/slog"
	"testing"
)

// quiet is the logger of workers whose lines a test does not read: they are
// shown when the test fails.
func quiet(t *testing.T, given *slog.Logger) *slog.Logger {
	t.Helper()
	return cmp.Or(given, slog.New(slog.NewTextHandler(t.Output(), nil)))
}
