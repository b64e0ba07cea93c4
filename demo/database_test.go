package demo

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

// Neither opened, for its tables would be changed, nor reset.
func TestAnotherApplicationsDatabaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ made, want string }{
		"with a table of its own":        {"CREATE TABLE invoices (id INTEGER PRIMARY KEY)", "a table invoices"},
		"with a table of the same name":  {"CREATE TABLE customers (id INTEGER PRIMARY KEY, vat TEXT)", "a table customers and not the others"},
		"with all names and one further": {"CREATE TABLE customers (id INTEGER); CREATE TABLE exports (id INTEGER); CREATE TABLE schema_migrations (v TEXT)", "a table schema_migrations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := location{path: filepath.Join(t.TempDir(), "a.db")}
			g, err := openSQLite(t.Context(), at.path)
			require.NoError(t, err)
			for statement := range strings.SplitSeq(c.made, ";") {
				require.NoError(t, g.Exec(statement).Error)
			}
			before := schemaOf(t, g)
			for _, open := range []func(context.Context, location) (*database, error){openDatabase, resetDatabase} {
				_, err = open(t.Context(), at)
				require.ErrorContains(t, err, "it is not the demo's: it has "+c.want)
				assert.Equal(t, before, schemaOf(t, g))
			}
			conns, err := g.DB()
			require.NoError(t, err)
			require.NoError(t, conns.Close())
		})
	}
}

func schemaOf(t *testing.T, g *gorm.DB) (statements []string) {
	t.Helper()
	require.NoError(t, g.Raw("SELECT sql FROM sqlite_master ORDER BY name").Scan(&statements).Error)
	return statements
}

func TestADirectoryIsNoDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := openDatabase(t.Context(), location{path: dir, shown: "sqlite:" + dir})
	require.ErrorContains(t, err, "opening the database sqlite:"+dir)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestSeed(t *testing.T) {
	t.Parallel()
	db := testDatabase(t, filepath.Join(t.TempDir(), "a.db"), 0)
	for _, step := range []struct{ ask, have int64 }{{0, 0}, {1, 1}, {100, 100}, {250, 250}, {7, 250}} {
		require.NoError(t, db.seed(t.Context(), int(step.ask)))
		var n int64
		require.NoError(t, db.gorm.Model(&customer{}).Count(&n).Error)
		assert.Equal(t, step.have, n, "after seed(%d)", step.ask)
	}
	var customers []customer
	require.NoError(t, db.gorm.Order("id").Find(&customers).Error)
	for i, c := range customers {
		require.Equal(t, newCustomer(int64(i+1)).record(), c.record())
	}
}

func TestSeedInParts(t *testing.T) {
	t.Parallel()
	db := testDatabase(t, filepath.Join(t.TempDir(), "a.db"), 0)
	const most = 100_001
	require.NoError(t, db.seed(t.Context(), most))
	var last customer
	require.NoError(t, db.gorm.Last(&last).Error)
	assert.Equal(t, newCustomer(most).record(), last.record())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, db.seed(ctx, most+1), context.Canceled)
}
