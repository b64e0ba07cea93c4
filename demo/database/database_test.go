package database

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

type (
	customer struct{ ID int64 }
	export   struct{ ID int64 }
)

// Open would change the tables of another application, and Reset would drop them.
func TestOpenAndResetRefuseAnotherApplicationsDatabase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ made, want string }{
		"with another table":              {"CREATE TABLE invoices (id INTEGER PRIMARY KEY)", "a table invoices"},
		"with one table of the same name": {"CREATE TABLE customers (id INTEGER PRIMARY KEY, vat TEXT)", "a table customers but not all of the demo's tables"},
		"with all tables and another one": {"CREATE TABLE customers (id INTEGER); CREATE TABLE exports (id INTEGER); CREATE TABLE schema_migrations (v TEXT)", "a table schema_migrations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := Location{Path: filepath.Join(t.TempDir(), "a.db")}
			g, err := openSQLite(t.Context(), at.Path)
			require.NoError(t, err)
			for statement := range strings.SplitSeq(c.made, ";") {
				require.NoError(t, g.Exec(statement).Error)
			}
			before := schemaOf(t, g)
			for _, open := range []func(context.Context, Location, ...any) (*DB, error){Open, Reset} {
				_, err = open(t.Context(), at, &customer{}, &export{})
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

func TestOpenRefusesADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Open(t.Context(), Location{Path: dir, Shown: "sqlite:" + dir})
	require.ErrorContains(t, err, "opening the database sqlite:"+dir)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestResetRemovesAllRows(t *testing.T) {
	t.Parallel()
	at := Location{Path: filepath.Join(t.TempDir(), "new", "sub dir", "100% #1?.db")}
	for range 2 {
		db, err := Open(t.Context(), at, &customer{}, &export{})
		require.NoError(t, err)
		require.NoError(t, db.Create(&customer{}).Error)
		require.NoError(t, db.Close())
	}
	count := func(open func(context.Context, Location, ...any) (*DB, error)) (n int64) {
		db, err := open(t.Context(), at, &customer{}, &export{})
		require.NoError(t, err)
		require.NoError(t, db.Model(&customer{}).Count(&n).Error)
		require.NoError(t, db.Close())
		return n
	}
	assert.EqualValues(t, 2, count(Open))
	assert.Zero(t, count(Reset))
}
