package database

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLocateReadsSQLitePaths(t *testing.T) {
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
		"postgres":              "postgres",
	} {
		got, err := Locate(url)
		require.NoError(t, err, "Locate(%q)", url)
		absolute, err := filepath.Abs(want)
		require.NoError(t, err)
		assert.Equal(t, absolute, got.Path, "Locate(%q)", url)
		assert.Equal(t, "sqlite:"+absolute, got.Shown, "Locate(%q)", url)
		assert.Nil(t, got.postgres, "Locate(%q)", url)
	}
}

func TestLocateReadsPostgresURLs(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"postgres://ann:s3cret@host:5433/db":               "postgres://ann:xxxxx@host:5433/db",
		"PostgreSQL://ann:s3cret@host:5433/db":             "postgres://ann:xxxxx@host:5433/db",
		"postgres://host:5433/db?user=ann&password=s3cret": "postgres://host:5433/db?password=xxxxx&user=ann",
		"postgres://ann:s3cret@host:5433/db?search_path=a": "postgres://ann:xxxxx@host:5433/db?search_path=a",
		"postgres://ann:s3cret%23%2F@host:5433/db":         "postgres://ann:xxxxx@host:5433/db",
	} {
		got, err := Locate(url)
		require.NoError(t, err, "Locate(%q)", url)
		assert.Equal(t, want, got.Shown, "Locate(%q)", url)
		assert.Empty(t, got.Path, "Locate(%q)", url)
		require.NotNil(t, got.postgres, "Locate(%q)", url)
		assert.Equal(t, "host", got.postgres.Host)
		assert.EqualValues(t, 5433, got.postgres.Port)
		assert.Equal(t, "ann", got.postgres.User)
		assert.Contains(t, got.postgres.Password, "s3cret")
		assert.Equal(t, "db", got.postgres.Database)
		assert.Equal(t, "goresque_demo", got.postgres.RuntimeParams["search_path"])
	}
}

func TestLocateRefusesInvalidURLs(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"mysql2://ann:s3cret@host/db":                           "mysql2 is not supported",
		"sqlite:":                                               "names no file",
		"sqlite://":                                             "names no file",
		"postgres://ann:s3cret#/@host/db":                       "is not a URL",
		"postgres://ann:s3cret@host:port/db":                    "is not a URL",
		"postgres://ann:s3cret@host/db?sslmode=perhaps":         "sslmode is invalid",
		"postgres://host/db?password=s3cret&connect_timeout=-x": "connect_timeout",
		"postgres://ann:s3cret@host/db?target_session_attrs=x":  "unknown target_session_attrs",
	} {
		_, err := Locate(url)
		require.ErrorContains(t, err, want, "Locate(%q)", url)
		require.ErrorContains(t, err, "DATABASE_URL", "Locate(%q)", url)
		assert.NotContains(t, err.Error(), "s3cret")
	}
}
