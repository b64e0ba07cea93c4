package lost

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/demo/fleet"
	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
)

const after = 12 * time.Second

func testSweeper(t *testing.T) *Sweeper {
	t.Helper()
	type customer struct{ ID int64 } // Open refuses a database that has exports only
	db, err := database.Open(t.Context(), database.Location{Path: filepath.Join(t.TempDir(), "a.db")}, append(record.Models(), &record.Record{}, &customer{})...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	server, err := embedded.Start("")
	require.NoError(t, err)
	t.Cleanup(server.Close)
	rdb, err := resque.Open(resque.RedisConfig{URL: server.URL(), DialTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rdb.Close()) })
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	return &Sweeper{
		DB: db, Log: slog.New(slog.DiscardHandler), After: after,
		Fleet: &fleet.Fleet{Client: client, Queue: "exports", Classes: []string{"Exporter"}, Mux: resque.NewMux(), Job: testJob, Stored: func(context.Context) (map[int64]bool, error) { return map[int64]bool{}, nil }},
	}
}

func testJob(id int64) resque.Job {
	return resque.Job{Queue: "exports", Class: "Exporter", Args: []any{id}}
}

func (s *Sweeper) newExport(t *testing.T, state record.State) int64 {
	t.Helper()
	r := &record.Record{}
	require.NoError(t, s.DB.Create(r).Error)
	require.NoError(t, s.DB.Model(r).Update("state", state).Error)
	return r.ID
}

func (s *Sweeper) find(t *testing.T, id int64) *record.Record {
	t.Helper()
	r := &record.Record{}
	require.NoError(t, s.DB.Take(r, id).Error)
	return r
}

// redis runs commands whose first argument is a key of Resque.
func (s *Sweeper) redis(t *testing.T, commands ...[]any) {
	t.Helper()
	rdb := s.Fleet.Client.Redis()
	c, err := rdb.Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	for _, command := range commands {
		_, err := c.Do(command[0].(string), append([]any{rdb.Key(command[1].(string))}, command[2:]...)...)
		require.NoError(t, err)
	}
}

func TestFindLostMarksExportsWithoutAJob(t *testing.T) {
	t.Parallel()
	const worker, job = "host~go:1:exports", `{"class":"Exporter","args":[1]}`
	running := [][]any{
		{"SADD", "workers", worker},
		{"SET", "worker:" + worker, `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":` + job + `}`},
	}
	beat := func(age time.Duration) []any {
		return []any{"HSET", "workers:heartbeat", worker, time.Now().Add(-age).UTC().Format(time.RFC3339)}
	}
	full := []any{"RPUSH", "queue:exports"}
	for range 10_000 {
		full = append(full, `{"class":"Mailer","args":[]}`)
	}
	for name, c := range map[string]struct {
		state   record.State
		redis   [][]any
		want    record.State
		message string
	}{
		"queued, job waits":                            {record.Queued, [][]any{{"RPUSH", "queue:exports", job}}, record.Queued, ""},
		"queued, job missing":                          {record.Queued, nil, record.Failed, "Its job is no longer in the queue."},
		"queued, job behind more jobs than Jobs reads": {record.Queued, [][]any{full, {"RPUSH", "queue:exports", job}}, record.Queued, ""},
		"building, job back in the queue":              {record.Building, [][]any{{"RPUSH", "queue:exports", job}}, record.Queued, ""},
		"building, job missing":                        {record.Building, nil, record.Failed, "Its worker stopped before it was done, and no other worker has the job."},
		"building, worker with a fresh heartbeat":      {record.Building, append(running, beat(0)), record.Building, ""},
		"building, worker with an old heartbeat":       {record.Building, append(running, beat(time.Hour)), record.Failed, "Its worker was killed, or the machine is gone."},
		"queued, job just reserved by a worker":        {record.Queued, append(running, beat(0)), record.Queued, ""},
		"ready":                                        {record.Ready, nil, record.Ready, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testSweeper(t)
			id := s.newExport(t, c.state)
			s.redis(t, c.redis...)
			now := time.Now()
			for _, at := range []time.Duration{0, after - time.Millisecond} {
				require.NoError(t, s.findLost(t.Context(), now.Add(at)))
				require.Equal(t, c.state, s.find(t, id).State, "after %s", at)
			}
			require.NoError(t, s.findLost(t.Context(), now.Add(after)))
			got := s.find(t, id)
			assert.Equal(t, c.want, got.State)
			assert.Equal(t, c.message, got.Message)
		})
	}
}

// A laptop that sleeps and wakes up is no reason to fail the exports in progress.
func TestSweepWaitsAgainAfterAStandstill(t *testing.T) {
	t.Parallel()
	s := testSweeper(t)
	id := s.newExport(t, record.Building)
	now := time.Now()
	for range 3 {
		require.NoError(t, s.sweep(t.Context(), now))
		require.Equal(t, record.Building, s.find(t, id).State)
		now = now.Add(time.Hour)
	}
	for range 5 {
		require.NoError(t, s.sweep(t.Context(), now))
		now = now.Add(after / 4)
	}
	assert.Equal(t, record.Failed, s.find(t, id).State)
}

func TestFindLostKeepsAnExportThatChanges(t *testing.T) {
	t.Parallel()
	s := testSweeper(t)
	id := s.newExport(t, record.Building)
	now := time.Now()
	for i := range 4 {
		require.NoError(t, s.DB.Model(&record.Record{}).Where("id = ?", id).Update("version", 100+i).Error)
		require.NoError(t, s.findLost(t.Context(), now.Add(time.Duration(i)*(after-time.Second))))
	}
	assert.Equal(t, record.Building, s.find(t, id).State)
}

func TestFindLostMarksNothingWithoutRedis(t *testing.T) {
	t.Parallel()
	s := testSweeper(t)
	id := s.newExport(t, record.Queued)
	require.NoError(t, s.findLost(t.Context(), time.Now()))
	rdb, err := resque.Open(resque.RedisConfig{URL: "redis://127.0.0.1:1"})
	require.NoError(t, err)
	s.Fleet.Client, err = resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	require.ErrorContains(t, s.findLost(t.Context(), time.Now().Add(after)), "reading the queue")
	assert.Equal(t, record.Queued, s.find(t, id).State)
}

func TestExpireDeletesOnlyExpiredFiles(t *testing.T) {
	t.Parallel()
	s := testSweeper(t)
	fresh, old := s.newExport(t, record.Ready), s.newExport(t, record.Ready)
	for id, at := range map[int64]time.Time{fresh: time.Now().Add(time.Hour), old: time.Now().Add(-time.Second)} {
		require.NoError(t, s.DB.Model(&record.Record{}).Where("id = ?", id).Update("expires_at", at.UTC()).Error)
	}
	require.NoError(t, s.expire(t.Context()))
	assert.Equal(t, record.Ready, s.find(t, fresh).State)
	assert.Equal(t, record.Expired, s.find(t, old).State)
}

// newScheduled returns an export that is due at a time, and delays its job until then.
func (s *Sweeper) newScheduled(t *testing.T, due time.Time) int64 {
	t.Helper()
	r := &record.Record{DueAt: &due}
	require.NoError(t, s.DB.Create(r).Error)
	_, err := s.Fleet.Client.Enqueue(t.Context(), testJob(r.ID).In(time.Hour))
	require.NoError(t, err)
	return r.ID
}

func TestFindLostKeepsAScheduledExportWhoseJobIsDelayed(t *testing.T) {
	t.Parallel()
	s := testSweeper(t)
	now := time.Now()
	id := s.newScheduled(t, now.Add(time.Hour))
	for i := range 4 {
		require.NoError(t, s.findLost(t.Context(), now.Add(time.Duration(i)*after)))
	}
	assert.Equal(t, record.Scheduled, s.find(t, id).State)

	_, err := s.Fleet.Client.RemoveDelayed(t.Context(), testJob(id))
	require.NoError(t, err)
	require.NoError(t, s.findLost(t.Context(), now.Add(4*after)))
	assert.Equal(t, record.Failed, s.find(t, id).State)
	assert.Equal(t, "Its job was removed before it was due.", s.find(t, id).Message)
}

func TestQueueDueQueuesAnExportWhoseJobIsNoLongerDelayed(t *testing.T) {
	t.Parallel()
	s := testSweeper(t)
	now := time.Now()
	id := s.newScheduled(t, now.Add(time.Minute))
	require.NoError(t, s.queueDue(t.Context(), now.Add(2*time.Minute)))
	assert.Equal(t, record.Scheduled, s.find(t, id).State, "no scheduler has moved its job")

	_, err := s.Fleet.Client.EnqueueDelayed(t.Context(), testJob(id))
	require.NoError(t, err)
	require.NoError(t, s.queueDue(t.Context(), now))
	assert.Equal(t, record.Scheduled, s.find(t, id).State, "it is not due")
	require.NoError(t, s.queueDue(t.Context(), now.Add(time.Minute)))
	got := s.find(t, id)
	assert.Equal(t, record.Queued, got.State)
	assert.Nil(t, got.DueAt)
}
