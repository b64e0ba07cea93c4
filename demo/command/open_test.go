package command

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
)

// A throwaway database goes also if the demo cannot start with it.
func TestOpenDatabaseRemovesTheDirectoryIfItCannotSeed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	o := options{temp: true, Opened: Opened{Rows: 1}}
	_, _, err := o.openDatabase(t.Context(), &cli.Env{}, nil) // without a table of customers
	require.ErrorContains(t, err, "inserting customers")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}
