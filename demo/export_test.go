package demo

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/customers"
	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/resque/outbox"
)

func TestExportIsStoredWithItsJob(t *testing.T) {
	t.Parallel()
	x := testDatabase(t, filepath.Join(t.TempDir(), "a.db"), 1)
	now, _, err := x.create(t.Context(), 10, 0, 0, "token")
	require.NoError(t, err)
	again, made, err := x.create(t.Context(), 10, 0, 0, "token")
	require.NoError(t, err)
	assert.False(t, made)
	assert.Equal(t, now.ID, again.ID)
	later, _, err := x.create(t.Context(), 10, 0, time.Hour, "")
	require.NoError(t, err)
	conns, err := x.db.DB.DB()
	require.NoError(t, err)
	jobs, err := outbox.List(t.Context(), conns, 10)
	require.NoError(t, err)
	require.Len(t, jobs, 2)
	for i, e := range []*Export{now, later} {
		assert.Equal(t, "exports", jobs[i].Queue)
		assert.Equal(t, fmt.Sprintf(`{"class":"Exporter","args":[%d]}`, e.ID), string(jobs[i].Payload))
		assert.Equal(t, e.DueAt == nil, jobs[i].Due.IsZero())
	}
	assert.Equal(t, later.DueAt.Unix(), jobs[1].Due.Unix())
	stored, err := x.stored(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[int64]bool{now.ID: true, later.ID: true}, stored)
}

func TestExportIsNotStoredWithoutItsJob(t *testing.T) {
	t.Parallel()
	x := testDatabase(t, filepath.Join(t.TempDir(), "a.db"), 1)
	require.NoError(t, x.db.Exec("DROP TABLE goresque_outbox").Error)
	_, _, err := x.create(t.Context(), 10, 0, 0, "")
	require.ErrorContains(t, err, "storing an export: storing the job of export 1")
	assert.Zero(t, count(t, x, "exports"))
}

func TestPerformLengthyComputation(t *testing.T) {
	t.Parallel()

	t.Run("writes a CSV that reads back as the customers", func(t *testing.T) {
		t.Parallel()
		const rows = 2500
		db := testDatabase(t, filepath.Join(t.TempDir(), "a.db"), rows)
		e, err := db.add(t.Context(), rows, 0)
		require.NoError(t, err)
		require.NoError(t, e.PerformLengthyComputation(t.Context()))
		assert.Equal(t, time.UTC, e.ExpiresAt.Location(), "SQLite compares times as text")

		data, err := e.file(t.Context())
		require.NoError(t, err)
		require.Equal(t, wantCSV(rows), string(data))
		records, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
		require.NoError(t, err)
		require.Len(t, records, rows+1)
		for i, record := range records[1:] {
			require.Equal(t, customers.New(int64(i+1)).Line(), record)
		}
		assert.Equal(t, record.Ready, e.State)
		assert.Equal(t, rows, e.Done)
		assert.EqualValues(t, len(data), e.Bytes)
		assert.Equal(t, fmt.Sprintf("%x", sha256.Sum256(data)), e.SHA256)
	})

	t.Run("takes as long as it was asked to", func(t *testing.T) {
		t.Parallel()
		db := testDatabase(t, filepath.Join(t.TempDir(), "a.db"), 100)
		e, err := db.add(t.Context(), 100, 0.5)
		require.NoError(t, err)
		started := time.Now()
		require.NoError(t, e.PerformLengthyComputation(t.Context()))
		assert.GreaterOrEqual(t, time.Since(started), 500*time.Millisecond)
	})

	t.Run("exports only the customers that exist", func(t *testing.T) {
		t.Parallel()
		db := testDatabase(t, filepath.Join(t.TempDir(), "a.db"), 0)
		for _, have := range []int{0, 7} {
			require.NoError(t, customers.Seed(t.Context(), db.db, have))
			e, err := db.add(t.Context(), 100, 0)
			require.NoError(t, err)
			require.NoError(t, e.PerformLengthyComputation(t.Context()))
			data, err := e.file(t.Context())
			require.NoError(t, err)
			assert.Equal(t, wantCSV(have), string(data))
		}
	})

	t.Run("starts from the beginning in a second run", func(t *testing.T) {
		t.Parallel()
		db := testDatabase(t, filepath.Join(t.TempDir(), "a.db"), 300)
		e, err := db.add(t.Context(), 300, 0)
		require.NoError(t, err)
		require.NoError(t, e.PerformLengthyComputation(t.Context()))
		again, err := db.find(t.Context(), e.ID)
		require.NoError(t, err)
		require.NoError(t, again.PerformLengthyComputation(t.Context()))

		data, err := again.file(t.Context())
		require.NoError(t, err)
		assert.Equal(t, wantCSV(300), string(data))
		assert.Equal(t, 2, again.Attempt)
	})

	t.Run("stops with its context and leaves no file", func(t *testing.T) {
		t.Parallel()
		db := testDatabase(t, filepath.Join(t.TempDir(), "a.db"), 100)
		e, err := db.add(t.Context(), 100, 3600)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, e.PerformLengthyComputation(ctx), context.Canceled)
		_, err = e.file(t.Context())
		require.ErrorIs(t, err, errNotReady)
	})
}

// Two open databases stand for two processes.
func TestTwoProcessesShareAnSQLiteFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sub dir", "100% #1?.db")
	const each, rows = 4, 200
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			opened, err := database.Open(t.Context(), database.Location{Path: path}, models()...)
			if !assert.NoError(t, err) {
				return
			}
			db := exports{opened}
			defer func() { assert.NoError(t, db.db.Close()) }()
			assert.NoError(t, customers.Seed(t.Context(), db.db, rows))
			for range each {
				e, err := db.add(t.Context(), rows, 0)
				if assert.NoError(t, err) {
					assert.NoError(t, e.PerformLengthyComputation(t.Context()))
				}
			}
		})
	}
	all.Wait()

	db := testDatabase(t, path, rows)
	exports, err := db.latest(t.Context(), 100)
	require.NoError(t, err)
	require.Len(t, exports, 2*each)
	for _, listed := range exports {
		e, err := db.find(t.Context(), listed.ID)
		require.NoError(t, err)
		data, err := e.file(t.Context())
		require.NoError(t, err)
		assert.Equal(t, wantCSV(rows), string(data))
	}
}

func TestOpenKeepsTheTablesOfAnExistingDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	version := func() (v int) {
		db := testDatabase(t, path, 10)
		require.NoError(t, db.db.Raw("PRAGMA schema_version").Scan(&v).Error)
		return v
	}
	assert.Equal(t, version(), version(), "opening the database changed its tables")
}

func TestInterruptFailsOnlyUnfinishedExports(t *testing.T) {
	t.Parallel()
	db := testDatabase(t, filepath.Join(t.TempDir(), "a.db"), 1)
	queued, err := db.add(t.Context(), 1, 0)
	require.NoError(t, err)
	ready, err := db.add(t.Context(), 1, 0)
	require.NoError(t, err)
	require.NoError(t, ready.PerformLengthyComputation(t.Context()))

	require.NoError(t, record.Interrupt(t.Context(), db.db, "stopped", nil))
	queued, err = db.find(t.Context(), queued.ID)
	require.NoError(t, err)
	assert.Equal(t, record.Failed, queued.State)
	assert.Equal(t, "stopped", queued.Message)
	_, err = ready.file(t.Context())
	assert.NoError(t, err)
}
