package demo

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
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
	"github.com/goresque/goresque/resque"
)

// jobs is an enqueuer that stores the jobs, or returns err.
type jobs struct {
	got []resque.Job
	err error
}

func (j *jobs) Enqueue(_ context.Context, job resque.Job) (resque.Receipt, error) {
	if j.err != nil {
		return resque.Receipt{}, j.err
	}
	j.got = append(j.got, job)
	return resque.Receipt{State: resque.Queued, Queue: job.Queue}, nil
}

func TestAsyncPopulate(t *testing.T) {
	t.Parallel()
	db := testDatabase(t, filepath.Join(t.TempDir(), "a.db"), 1)

	t.Run("enqueues the id of a committed export", func(t *testing.T) {
		t.Parallel()
		e, err := db.add(t.Context(), 10, 0)
		require.NoError(t, err)
		queue := &jobs{}
		require.NoError(t, e.AsyncPopulate(t.Context(), queue))
		require.Equal(t, []resque.Job{{Queue: "exports", Class: "Exporter", Args: []any{e.ID}}}, queue.got)

		stored, err := db.find(t.Context(), e.ID)
		require.NoError(t, err)
		assert.Equal(t, record.Queued, stored.State)
		assert.False(t, stored.Complete())
	})

	t.Run("marks an export that cannot be queued as failed", func(t *testing.T) {
		t.Parallel()
		e, err := db.add(t.Context(), 10, 0)
		require.NoError(t, err)
		require.ErrorContains(t, e.AsyncPopulate(t.Context(), &jobs{err: errors.New("no Redis")}), "no Redis")

		stored, err := db.find(t.Context(), e.ID)
		require.NoError(t, err)
		assert.Equal(t, record.Failed, stored.State)
		assert.Equal(t, "could not be queued: Redis cannot be reached", stored.Message)
		assert.True(t, stored.Complete())
	})

	t.Run("keeps a ready export when the answer of Redis was lost", func(t *testing.T) {
		t.Parallel()
		e, err := db.add(t.Context(), 1, 0)
		require.NoError(t, err)
		worked, err := db.find(t.Context(), e.ID)
		require.NoError(t, err)
		require.NoError(t, worked.PerformLengthyComputation(t.Context()))

		require.Error(t, e.AsyncPopulate(t.Context(), &jobs{err: resque.ErrMaybeQueued}))
		stored, err := db.find(t.Context(), e.ID)
		require.NoError(t, err)
		assert.Equal(t, record.Ready, stored.State)
	})
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

	require.NoError(t, record.Interrupt(t.Context(), db.db, "stopped"))
	queued, err = db.find(t.Context(), queued.ID)
	require.NoError(t, err)
	assert.Equal(t, record.Failed, queued.State)
	assert.Equal(t, "stopped", queued.Message)
	_, err = ready.file(t.Context())
	assert.NoError(t, err)
}
