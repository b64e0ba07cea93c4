package demo

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDatabasePath(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                      "tmp/demo/demo.sqlite3",
		"sqlite:rel/a.db":       "rel/a.db",
		"sqlite3:rel/a.db":      "rel/a.db",
		"sqlite:/abs/a.db":      "/abs/a.db",
		"sqlite:///abs/a.db":    "/abs/a.db",
		"SQLite3:///abs/a.db":   "/abs/a.db",
		"sqlite://rel/a.db":     "rel/a.db",
		"/abs/plain.db":         "/abs/plain.db",
		"plain.db":              "plain.db",
		"sqlite:/a/sqlite:b.db": "/a/sqlite:b.db",
		"./odd:name.db":         "odd:name.db",
	} {
		got, err := databasePath(url)
		require.NoError(t, err, "databasePath(%q)", url)
		absolute, err := filepath.Abs(want)
		require.NoError(t, err)
		assert.Equal(t, absolute, got, "databasePath(%q)", url)
	}
}

func TestDatabasePathRefuses(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"postgres://ann:secret@host/db": "postgres: is not supported yet",
		"mysql2://ann:secret@host/db":   "mysql2: is not supported yet",
		"sqlite:":                       "names no file",
		"sqlite://":                     "names no file",
	} {
		_, err := databasePath(url)
		require.ErrorContains(t, err, want, "databasePath(%q)", url)
		assert.NotContains(t, err.Error(), "secret")
	}
}
