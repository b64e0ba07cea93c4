package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/resque"
)

// While streams are open, the hub looks once a second, however many they are. Otherwise
// it does not look.
func TestHubLooksOnceASecondForAllStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		b := newHub(func(context.Context) map[string]uint64 { looks++; return map[string]uint64{"queues": 1} })
		_, ok := b.enter()
		assert.False(t, ok, "the hub does not run")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { b.run(ctx); close(ended) }()
		synctest.Wait()
		assert.Zero(t, looks)
		var streams []*stream
		for range 200 {
			s, ok := b.enter()
			require.True(t, ok)
			streams = append(streams, s)
		}
		backoff.Sleep(t.Context(), time.Hour) // by the bubble's clock
		synctest.Wait()
		assert.InDelta(t, 3600, looks, 2)
		for _, s := range streams {
			s.leave()
		}
		backoff.Sleep(t.Context(), time.Hour)
		assert.InDelta(t, 3600, looks, 2, "no stream is open")
		cancel()
		<-ended
		_, ok = b.enter()
		assert.False(t, ok, "the hub has ended")
	})
}

func TestHubLimitsStreams(t *testing.T) {
	t.Parallel()
	b := newHub(nil)
	b.most = 2
	b.set(make(chan struct{}))
	one, ok := b.enter()
	require.True(t, ok)
	_, ok = b.enter()
	require.True(t, ok)
	_, ok = b.enter()
	assert.False(t, ok)
	one.leave()
	_, ok = b.enter()
	assert.True(t, ok)
}

// Each stream gets each change once, also one that happens while it writes.
func TestStreamsGetEachChange(t *testing.T) {
	t.Parallel()
	b := newHub(nil)
	b.set(make(chan struct{}))
	b.note(map[string]uint64{"queues": 1, "failed": 1})
	s, ok := b.enter()
	require.True(t, ok)
	assert.Empty(t, s.news(), "the first event of a stream names all pages")
	b.note(map[string]uint64{"queues": 2, "failed": 1})
	b.note(map[string]uint64{"queues": 3, "failed": 1})
	<-s.changed
	assert.Equal(t, []string{"queues"}, s.news())
	select {
	case <-s.changed:
		assert.Fail(t, "there is no other change")
	default:
	}
	b.note(map[string]uint64{"queues": 3, "failed": 2})
	assert.Equal(t, []string{"failed"}, s.news())
}

// The digests change with what pages show, and not with time.
func TestDigests(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	rdb, err := resque.Open(resque.RedisConfig{URL: "redis://127.0.0.1:6379"}) // is not connected
	require.NoError(t, err)
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	h := &Dashboard{cfg: Config{StaleAfter: time.Minute}, client: client, rates: &rates{}}
	var now resque.Snapshot
	h.hub = newHub(nil)
	h.hub.every = time.Hour // the age of a snapshot does not matter
	digest := func(change func(s *resque.Snapshot)) map[string]uint64 {
		now = resque.Snapshot{
			Now: at, Processed: 10, Failures: []resque.FailureListSize{{List: "failed", Size: 1}},
			Queues: []resque.QueueState{{Queue: "exports", Size: 2, Next: &resque.Payload{Raw: []byte(`{"class":"A","args":[]}`)}}},
			Workers: []resque.RegisteredWorker{{
				ID: "a:1:*", Registered: true, Heartbeat: at, HeartbeatText: "x", Working: true, RunAtText: "y",
				Job: &resque.Payload{Raw: []byte(`{"class":"A","args":[1]}`)},
			}},
		}
		change(&now)
		h.snapshots.keep(moment{now, nil, h.summarize(now, nil)}, 0)
		return h.digests(t.Context())
	}
	before := digest(func(*resque.Snapshot) {})
	assert.Len(t, before, len(livePages()))
	for name, tt := range map[string]struct {
		change func(s *resque.Snapshot)
		pages  []string
	}{
		"time":          {func(s *resque.Snapshot) { s.Now, s.RoundTrip = at.Add(time.Second), time.Second }, nil},
		"a heartbeat":   {func(s *resque.Snapshot) { s.Workers[0].HeartbeatText = "z" }, []string{"workers"}},
		"stale":         {func(s *resque.Snapshot) { s.Workers[0].Silence = time.Hour }, []string{"overview", "queues", "working", "workers", "stats"}},
		"a failure":     {func(s *resque.Snapshot) { s.Failures[0].Size++ }, []string{"overview", "queues", "failed", "stats"}},
		"a size":        {func(s *resque.Snapshot) { s.Queues[0].Size++ }, []string{"overview", "queues", "stats"}},
		"a next job":    {func(s *resque.Snapshot) { s.Queues[0].Next.Raw = []byte(`{"class":"B","args":[]}`) }, []string{"overview", "queues"}},
		"a running job": {func(s *resque.Snapshot) { s.Workers[0].RunAtText = "later" }, []string{"overview", "working", "workers"}},
		"a limit":       {func(s *resque.Snapshot) { s.Queues[0].Limit = &resque.QueueLimit{Running: 1} }, []string{"overview", "queues", "limits", "stats"}},
		"delayed":       {func(s *resque.Snapshot) { s.Delayed, s.NextDue = 1, at.Add(time.Hour) }, []string{"overview", "queues", "schedule", "delayed", "retry", "stats"}},
		"processed":     {func(s *resque.Snapshot) { s.Processed++ }, []string{"overview", "queues", "batches", "stats"}},
	} {
		after := digest(tt.change)
		var changed []string
		for _, page := range livePages() {
			if after[page] != before[page] {
				changed = append(changed, page)
			}
		}
		assert.Equal(t, tt.pages, changed, name)
	}
}

// A stream ends when the hub does, and after its longest time.
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newHub(func(context.Context) map[string]uint64 { return nil })
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { b.run(ctx) })
		synctest.Wait()
		s, ok := b.enter()
		require.True(t, ok)
		q := &request{Request: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/events", nil)}
		assert.Equal(t, ":\n\n", s.next(q, nil), "a comment")
		end := make(chan time.Time, 1)
		end <- time.Time{}
		assert.Empty(t, s.next(q, end))
		gone, leave := context.WithCancel(t.Context())
		leave()
		assert.Empty(t, s.next(&request{Request: httptest.NewRequestWithContext(gone, http.MethodGet, "/events", nil)}, nil))
		cancel()
		assert.Empty(t, s.next(q, nil))
		s.leave()
		all.Wait()
	})
}
