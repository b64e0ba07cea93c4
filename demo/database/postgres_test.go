package database

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

func TestAloneRetriesAfterAConflict(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), Location{Path: filepath.Join(t.TempDir(), "a.db")}, &customer{}, &export{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	for name, c := range map[string]struct {
		code string
		runs int
	}{
		"overtaken":     {"40001", 20},
		"deadlock":      {"40P01", 20},
		"another error": {"23505", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs := 0
			err := db.Alone(t.Context(), func(*gorm.DB) error {
				runs++
				return fmt.Errorf("saving: %w", &pgconn.PgError{Code: c.code})
			})
			require.ErrorContains(t, err, c.code)
			assert.Equal(t, c.runs, runs)
		})
	}

	t.Run("until it succeeds", func(t *testing.T) {
		t.Parallel()
		runs := 0
		require.NoError(t, db.Alone(t.Context(), func(*gorm.DB) error {
			if runs++; runs < 3 {
				return &pgconn.PgError{Code: "40001"}
			}
			return nil
		}))
		assert.Equal(t, 3, runs)
	})
}

func TestAloneRollsBackAfterAnError(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), Location{Path: filepath.Join(t.TempDir(), "a.db")}, &customer{}, &export{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	boom := errors.New("boom")
	require.ErrorIs(t, db.Alone(t.Context(), func(tx *gorm.DB) error {
		require.NoError(t, tx.Create(&customer{}).Error)
		return boom
	}), boom)
	var n int64
	require.NoError(t, db.Model(&customer{}).Count(&n).Error)
	assert.Zero(t, n)
}
