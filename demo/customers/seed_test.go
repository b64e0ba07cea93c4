package customers

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/database"
)

func testDatabase(t *testing.T) *database.DB {
	t.Helper()
	type export struct{ ID int64 } // Open refuses a database that has customers only
	db, err := database.Open(t.Context(), database.Location{Path: filepath.Join(t.TempDir(), "a.db")}, &Customer{}, &export{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestSeedInsertsOnlyMissingCustomers(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	for _, step := range []struct{ ask, have int64 }{{0, 0}, {1, 1}, {100, 100}, {250, 250}, {7, 250}} {
		require.NoError(t, Seed(t.Context(), db, int(step.ask)))
		var n int64
		require.NoError(t, db.Model(&Customer{}).Count(&n).Error)
		assert.Equal(t, step.have, n, "after Seed(%d)", step.ask)
	}
	var customers []Customer
	require.NoError(t, db.Order("id").Find(&customers).Error)
	for i, c := range customers {
		require.Equal(t, New(int64(i+1)).Line(), c.Line())
	}
}

func TestSeedInsertsInParts(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	const most = 100_001
	require.NoError(t, Seed(t.Context(), db, most))
	var last Customer
	require.NoError(t, db.Last(&last).Error)
	assert.Equal(t, New(most).Line(), last.Line())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, Seed(ctx, db, most+1), context.Canceled)
}

func TestFirstReadsEachCustomerOnce(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	require.NoError(t, Seed(t.Context(), db, 130))
	for n, parts := range map[int]int{0: 0, 1: 1, 49: 49, 50: 50, 101: 51, 130: 65} {
		var ids []int64
		got := 0
		for part, err := range First(t.Context(), db, n) {
			require.NoError(t, err)
			got++
			for _, c := range part {
				ids = append(ids, c.ID)
			}
		}
		assert.Equal(t, parts, got, n)
		require.Len(t, ids, n)
		for i, id := range ids {
			require.EqualValues(t, i+1, id)
		}
	}

	for _, err := range First(t.Context(), db, 131) {
		if err != nil {
			assert.EqualError(t, err, "customers were deleted while the export read them")
			return
		}
	}
	require.Fail(t, "First does not report the missing customer")
}
