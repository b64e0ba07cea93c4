package record

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/database"
)

func testDatabase(t *testing.T) *database.DB {
	t.Helper()
	type customer struct{ ID int64 } // Open refuses a database that has exports only
	db, err := database.Open(t.Context(), database.Location{Path: filepath.Join(t.TempDir(), "a.db")}, append(Models(), &Record{}, &customer{})...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func newRecord(t *testing.T, db *database.DB) *Record {
	t.Helper()
	r := &Record{db: db}
	require.NoError(t, db.WithContext(t.Context()).Create(r).Error)
	return r
}

// find reads a record, as another process would.
func find(t *testing.T, db *database.DB, id int64) *Record {
	t.Helper()
	r := &Record{db: db}
	require.NoError(t, db.WithContext(t.Context()).Take(r, id).Error)
	return r
}

// rows returns a function that writes n lines, one for each row.
func rows(n int, line string) func(context.Context, *Draft) error {
	return func(ctx context.Context, d *Draft) error {
		for range n {
			_, _ = io.WriteString(d, line)
			if err := d.Rows(ctx, 1); err != nil {
				return err
			}
		}
		return nil
	}
}

func content(t *testing.T, r *Record) string {
	t.Helper()
	data, err := io.ReadAll(r.Open(t.Context(), func() {}))
	require.NoError(t, err)
	return string(data)
}

// Whatever an overtaken run does next, it must not change the record or the file of
// the run that overtook it.
func TestOvertakenRunChangesNothing(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, next := range map[string]func(context.Context, *Draft) error{
		"and writes": rows(1, "late"),
		"and reports": func(ctx context.Context, d *Draft) error {
			d.record.Seconds, d.beatEvery = 3600, time.Millisecond
			return d.Rows(ctx, 1)
		},
		"and finishes": func(context.Context, *Draft) error { return nil },
		"and fails":    func(context.Context, *Draft) error { return boom },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testDatabase(t)
			first := newRecord(t, db)
			var before *Record
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := first.Perform(ctx, 3, func(ctx context.Context, d *Draft) error {
				assert.NoError(t, rows(1, "first")(ctx, d))
				second := find(t, db, first.ID) //nolint:contextcheck // it stands for another process
				assert.NoError(t, second.Perform(ctx, 2, rows(2, "second")))
				before = find(t, db, first.ID) //nolint:contextcheck // it stands for another process
				return next(ctx, d)
			})
			if name == "and fails" {
				require.ErrorIs(t, err, boom, "Resque must get the error")
			} else {
				require.ErrorIs(t, err, errOvertaken)
			}
			now := find(t, db, first.ID)
			assert.Equal(t, before, now)
			assert.Equal(t, Ready, now.State)
			assert.Equal(t, "secondsecond", content(t, now))
		})
	}
}

func TestRunOfACanceledOrDeletedRecordEndsWithoutError(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(context.Context, *Record) error{
		"canceled": func(ctx context.Context, r *Record) error { _, err := r.Cancel(ctx); return err },
		"deleted":  func(ctx context.Context, r *Record) error { return r.Remove(ctx) },
	} {
		for when, fill := range map[string]func(context.Context, *Draft) error{
			"while it writes": rows(1, "late"), "before it finishes": func(context.Context, *Draft) error { return nil },
		} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				db := testDatabase(t)
				r := newRecord(t, db)
				require.NoError(t, r.Perform(t.Context(), 2, func(ctx context.Context, d *Draft) error {
					assert.NoError(t, rows(1, "a row")(ctx, d))
					assert.NoError(t, end(ctx, find(t, db, r.ID))) //nolint:contextcheck // it stands for another process
					return fill(ctx, d)
				}))
				var left int64
				require.NoError(t, db.Model(&chunk{}).Count(&left).Error)
				assert.Zero(t, left)
				if name == "canceled" {
					assert.Equal(t, Canceled, find(t, db, r.ID).State)
				}
			})
		}
	}

	t.Run("canceled before it begins", func(t *testing.T) {
		t.Parallel()
		db := testDatabase(t)
		r := newRecord(t, db)
		_, err := find(t, db, r.ID).Cancel(t.Context())
		require.NoError(t, err)
		require.NoError(t, r.Perform(t.Context(), 1, func(context.Context, *Draft) error {
			assert.Fail(t, "a canceled record was built")
			return nil
		}))
	})
}

func TestConcurrentRunsGetDifferentAttempts(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	created := newRecord(t, db)
	attempts := make([]int, 8)
	var all sync.WaitGroup
	for i := range attempts {
		all.Go(func() {
			r := &Record{ID: created.ID, db: db}
			if assert.NoError(t, r.begin(t.Context(), 1)) {
				attempts[i] = r.Attempt
			}
		})
	}
	all.Wait()
	assert.ElementsMatch(t, []int{1, 2, 3, 4, 5, 6, 7, 8}, attempts)
}

func TestPaceReportsThatTheRunIsAlive(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	r := newRecord(t, db)
	require.NoError(t, r.begin(t.Context(), 1))
	r.Seconds = 3600
	d := newDraft(r)
	d.beatEvery = time.Millisecond
	ctx, stop := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	begun := r.Version
	go func() { ended <- d.Rows(ctx, 1) }()
	require.Eventually(t, func() bool { return find(t, db, r.ID).Version > begun+2 }, time.Minute, time.Millisecond)
	stop(errors.New("told to stop"))
	if err := <-ended; !errors.Is(err, context.Canceled) { // else it was just reporting
		require.EqualError(t, err, "stopped after 0 of 1 rows: told to stop")
	}
}

func TestRunReportsAtMostOncePerInterval(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	r := newRecord(t, db)
	before, err := Version(t.Context(), db)
	require.NoError(t, err)
	require.NoError(t, r.Perform(t.Context(), 50, func(ctx context.Context, d *Draft) error {
		d.reportEvery = time.Hour
		return rows(50, "x")(ctx, d)
	}))
	after, err := Version(t.Context(), db)
	require.NoError(t, err)
	assert.EqualValues(t, 3, after-before, "reports of the start, the first row and the end")
}

func TestPerformStoresTheLastPiece(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	r := newRecord(t, db)
	require.NoError(t, r.Perform(t.Context(), 0, func(_ context.Context, d *Draft) error {
		_, err := io.WriteString(d, "a header alone")
		return err
	}))
	assert.Equal(t, "a header alone", content(t, find(t, db, r.ID)))
}

// A run's context ends when its worker stops.
func TestErrorIsStoredAfterTheContextHasEnded(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	r := newRecord(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	err := r.Perform(ctx, 1, func(ctx context.Context, d *Draft) error {
		cancel()
		return d.Rows(ctx, 1)
	})
	require.ErrorIs(t, err, context.Canceled)
	now := find(t, db, r.ID)
	assert.Equal(t, Failed, now.State)
	assert.Equal(t, "stopped after 0 of 1 rows: context canceled", now.Message)
}
