package web

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

func TestRates(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var r rates
	look := func(after time.Duration, processed, failed int64) {
		at = at.Add(after)
		r.sample(resque.Snapshot{Now: at, Processed: processed, Failed: failed})
	}
	assert.Empty(t, r.now())
	assert.False(t, r.graph().Known)
	look(0, 100, 0)
	assert.Empty(t, r.now(), "one sample gives no rate")
	look(time.Second, 900, 0)
	assert.Len(t, r.samples, 1, "too soon")
	look(9*time.Second, 105, 1)
	assert.Equal(t, "0.5", r.now())
	look(10*time.Second, 1105, 1)
	assert.Equal(t, "50", r.now(), "of the last half minute")
	g := r.graph()
	require.Len(t, g.Rows, 2)
	assert.Equal(t, "100", g.Most)
	assert.Equal(t, "100", g.Rows[1].Processed)
	look(10*time.Second, 3, 0) // the counters were cleared
	assert.Empty(t, perSecond(r.samples[2], r.samples[3]))
	look(10*time.Second, 13, 0)
	look(10*time.Second, 23, 0)
	assert.Len(t, r.graph().Processed, 2, "a gap, not a fall")
	look(10*time.Second, 33, 2)
	look(10*time.Second, 43, 1) // the failures' alone
	look(10*time.Second, 53, 1)
	assert.Len(t, r.graph().Processed, 3)
	for range 200 {
		look(10*time.Second, 53, 1)
	}
	assert.LessOrEqual(t, len(r.samples), 62, "ten minutes are kept")
	assert.Equal(t, "0", r.now())
}

func TestTrend(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var r rates
	for _, size := range []int64{1000, 900, 800, 700} {
		at = at.Add(time.Minute)
		r.sample(resque.Snapshot{Now: at, Queues: []resque.QueueState{{Queue: "q", Size: size}, {Queue: "grows", Size: 1000 - size}}})
	}
	line, drain := r.trend("q", at, 700)
	assert.NotEmpty(t, line)
	assert.Equal(t, 7*time.Minute, drain, "100 a minute")
	_, drain = r.trend("grows", at, 300)
	assert.Zero(t, drain)
	line, drain = r.trend("unknown", at, 3)
	assert.Empty(t, line)
	assert.Zero(t, drain)
	_, drain = r.trend("q", at, 0)
	assert.Zero(t, drain, "the queue is empty")
	for range 100 {
		at = at.Add(time.Minute)
		r.sample(resque.Snapshot{Now: at, Queues: []resque.QueueState{{Queue: "q"}}})
	}
	assert.NotContains(t, r.sizes, "grows", "removed queues are not kept")
	assert.LessOrEqual(t, len(r.sizes["q"]), 31)
	r.sample(resque.Snapshot{Now: at.Add(time.Hour), Queues: make([]resque.QueueState, sizeQueues+1)})
	assert.Len(t, r.sizes, 1, "with too many queues, sizes are not kept")
}

func TestFrames(t *testing.T) {
	t.Parallel()
	lines := []string{
		"/usr/lib/ruby/gems/3.1.0/gems/net-http/http.rb:1", "/srv/app/a.rb:1", "/srv/app/b.rb:2",
		"/usr/lib/ruby/gems/3.1.0/gems/resque/job.rb:1", "/x/gems/y.rb:1", "/x/gems/z.rb:1",
	}
	shown, folded := frames(lines)
	assert.Len(t, shown, 3)
	assert.Len(t, folded, 3)
	assert.False(t, shown[0].App)
	assert.True(t, shown[1].App)
	shown, folded = frames(lines[3:])
	assert.Len(t, shown, 3, "all lines, if none is the application's")
	assert.Empty(t, folded)
	shown, _ = frames(nil)
	assert.Empty(t, shown)
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 12: "12", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -1: "-1"} {
		assert.Equal(t, want, grouped(n))
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 59 * time.Minute: "59 min", time.Hour: "1 h", 47 * time.Hour: "47 h", 48 * time.Hour: "2 d",
	} {
		assert.Equal(t, want, spanText(d))
	}
	assert.Equal(t, "ä…", cut(3, "ää"), "no half characters")
	assert.Equal(t, "1 job", (*language)(nil).tn("1 job|%s jobs", 1))
	assert.Equal(t, "1,000 jobs", (*language)(nil).tn("1 job|%s jobs", 1000))
}
