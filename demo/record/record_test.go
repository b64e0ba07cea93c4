package record

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

// Each change from outside is possible only in some states. It gives the record a new
// version and ends its run.
func TestChangesFromOutsideNeedAState(t *testing.T) {
	t.Parallel()
	all := []State{Queued, Building, Ready, Failed, Canceled, Expired}
	for name, c := range map[string]struct {
		change func(*Record, context.Context) (bool, error)
		from   []State
		to     State
	}{
		"retry":  {func(r *Record, ctx context.Context) (bool, error) { return r.Retry(ctx, nothing) }, []State{Failed, Canceled, Expired}, Queued},
		"cancel": {(*Record).Cancel, []State{Queued, Building}, Canceled},
		"expire": {(*Record).Expire, []State{Ready}, Expired},
		"lose":   {func(r *Record, ctx context.Context) (bool, error) { return r.Lose(ctx, "why") }, all, Failed},
		"return": {(*Record).PutBack, all, Queued},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testDatabase(t)
			for _, state := range all {
				r := newRecord(t, db)
				require.NoError(t, db.Model(r).Update("state", state).Error)
				require.NoError(t, db.Create(&chunk{ExportID: r.ID, Data: []byte("x")}).Error)
				before := find(t, db, r.ID)
				r = find(t, db, r.ID)
				ok, err := c.change(r, t.Context())
				require.NoError(t, err)
				now := find(t, db, r.ID)
				assert.Equal(t, now, r, "the record differs from the database")
				var pieces int64
				require.NoError(t, db.Model(&chunk{}).Where("export_id = ?", r.ID).Count(&pieces).Error)
				if !assert.Equal(t, contains(c.from, state), ok, state) || !ok {
					assert.Equal(t, before, now)
					assert.EqualValues(t, 1, pieces)
					continue
				}
				assert.Equal(t, c.to, now.State)
				assert.Greater(t, now.Version, before.Version)
				assert.Equal(t, before.Attempt+1, now.Attempt)
				assert.Zero(t, pieces, "pieces of a file without an owner")
			}
		})
	}
}

func nothing(*gorm.DB) error { return nil }

// If the job cannot be stored, the record does not change.
func TestRetryIsRolledBackWithItsJob(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	r := newRecord(t, db)
	require.NoError(t, db.Model(r).Update("state", Failed).Error)
	r = find(t, db, r.ID)
	ok, err := r.Retry(t.Context(), func(*gorm.DB) error { return errors.New("no table") })
	require.ErrorContains(t, err, "no table")
	assert.False(t, ok)
	assert.Equal(t, Failed, find(t, db, r.ID).State)
}

func contains(all []State, s State) bool {
	for _, one := range all {
		if one == s {
			return true
		}
	}
	return false
}

func TestLoseAndPutBackKeepARecordThatHasChanged(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	r := newRecord(t, db)
	stale := find(t, db, r.ID)
	require.NoError(t, r.begin(t.Context(), 1))
	for _, change := range []func() (bool, error){
		func() (bool, error) { return find(t, db, r.ID).withVersion(stale.Version).Lose(t.Context(), "why") },
		func() (bool, error) { return find(t, db, r.ID).withVersion(stale.Version).PutBack(t.Context()) },
	} {
		ok, err := change()
		require.NoError(t, err)
		assert.False(t, ok)
		assert.Equal(t, Building, find(t, db, r.ID).State)
	}
}

func (r *Record) withVersion(v int64) *Record {
	r.Version = v
	return r
}

func TestChangesToADeletedRecordDoNothing(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	r := newRecord(t, db)
	require.NoError(t, find(t, db, r.ID).Remove(t.Context()))
	ok, err := r.Cancel(t.Context())
	require.NoError(t, err)
	assert.False(t, ok)
	assert.Equal(t, Deleted, r.State)
	require.NoError(t, r.Remove(t.Context()), "second Remove")
}

func TestVersionsRiseWithEveryChange(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	last, err := Version(t.Context(), db)
	require.NoError(t, err)
	assert.Zero(t, last)
	var r *Record
	for _, change := range []func() error{
		func() error { r = newRecord(t, db); return nil },
		func() error { return r.Perform(t.Context(), 1, rows(1, "x")) },
		func() error { _, err := r.Expire(t.Context()); return err },
		func() error { return r.Remove(t.Context()) },
	} {
		require.NoError(t, change())
		now, err := Version(t.Context(), db)
		require.NoError(t, err)
		assert.Greater(t, now, last)
		last = now
	}
}

func TestListsReturnTheRecordsOfAState(t *testing.T) {
	t.Parallel()
	db := testDatabase(t)
	queued, building, ready, outdated, again := newRecord(t, db), newRecord(t, db), newRecord(t, db), newRecord(t, db), newRecord(t, db)
	due := time.Now().Add(time.Hour)
	scheduled, delayed := &Record{DueAt: &due}, &Record{DueAt: &due}
	require.NoError(t, db.Create([]*Record{scheduled, delayed}).Error)
	for r, columns := range map[*Record]map[string]any{
		delayed:  {"state": Ready, "attempt": 1, "expires_at": due.UTC()},
		building: {"state": Building},
		ready:    {"state": Ready, "attempt": 1, "expires_at": time.Now().UTC().Add(time.Hour)},
		outdated: {"state": Ready, "attempt": 2, "expires_at": time.Now().UTC().Add(-time.Hour)},
		again:    {"version": 0}, // it was queued before all others
	} {
		require.NoError(t, db.Model(r).Updates(columns).Error)
	}
	ids := func(all []*Record, err error) (ids []int64) {
		require.NoError(t, err)
		for _, r := range all {
			ids = append(ids, r.ID)
		}
		return ids
	}
	assert.ElementsMatch(t, []int64{queued.ID, building.ID, again.ID, scheduled.ID}, ids(UnderWay(t.Context(), db)))
	assert.Equal(t, []int64{outdated.ID}, ids(Outdated(t.Context(), db)))
	assert.Equal(t, []int64{ready.ID}, ids(LastReady(t.Context(), db)))
	line, err := Line(t.Context(), db)
	require.NoError(t, err)
	assert.Equal(t, map[int64]int{again.ID: 1, queued.ID: 2}, line)

	require.NoError(t, Interrupt(t.Context(), db, "stopped", nil))
	assert.Equal(t, []int64{scheduled.ID}, ids(UnderWay(t.Context(), db)))
	assert.Equal(t, Ready, find(t, db, ready.ID).State)
}

func TestShortenLimitsMessages(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "short", shorten("short"))
	assert.Equal(t, strings.Repeat("ß", 200), shorten(strings.Repeat("ß", 200)))
	assert.Equal(t, strings.Repeat("ß", 200)+"…", shorten(strings.Repeat("ß", 201)))
}
