package problem

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/record"
)

func TestSecondsAreBounded(t *testing.T) {
	t.Parallel()
	p := New(Config{Seconds: 4})
	for text, want := range map[string]float64{
		"": 4, "2.5": 2.5, "0": 0, "10": 10, "11": 10, "1e9": 10, "Inf": 10, "NaN": 4, "-1": 4, "-Inf": 4, "two": 4,
	} {
		r := httptest.NewRequest(http.MethodGet, "/problem?seconds="+text, nil)
		assert.InDelta(t, want, p.secondsOf(r), 0, text)
	}
	p.cfg.Seconds = 86400
	assert.InDelta(t, 10, p.secondsOf(httptest.NewRequest(http.MethodGet, "/problem", nil)), 0)
}

func TestRunningAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	add := func(stubborn bool) (*Attempt, error) {
		a := &Attempt{stubborn: stubborn, stop: func() {}, done: make(chan struct{})}
		return a, p.begin(a)
	}
	for range mostAttempts {
		_, err := add(false)
		require.NoError(t, err)
	}
	_, err := add(false)
	require.Error(t, err)
	for _, a := range p.all {
		p.end(a, nil)
	}
	long, err := add(true)
	require.NoError(t, err)
	for range 3 * mostAttempts {
		a, err := add(false)
		require.NoError(t, err)
		p.end(a, nil)
	}
	assert.LessOrEqual(t, len(p.Look()), mostAttempts+2, "attempts that have ended are still stored")
	assert.Contains(t, p.all, long, "an attempt that runs must be ended with the server")
}

func TestLanesShareOneScale(t *testing.T) {
	t.Parallel()
	begin := time.Now().Add(-time.Minute)
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }
	started := at(1)
	all := lanes([]Attempt{
		{stubborn: true, Asked: begin, Answered: at(1), cut: true, Wasted: 250, Rows: 1000, Ended: at(5), Err: http.ErrHandlerTimeout},
		{Asked: begin, Answered: at(1), cut: true, Ended: at(1)},
		{Asked: begin, Answered: at(9), Ended: at(9)}, // older, so not shown
	}, []*record.Record{{ID: 7, CreatedAt: begin, StartedAt: &started, UpdatedAt: at(4), Done: 1000, Bytes: 999}})
	require.Len(t, all, 3)
	for i, want := range [][]stretch{
		{{"wait", 0, 20, 0, time.Second}},
		{{"wait", 0, 20, 0, time.Second}, {"burn", 20, 80, time.Second, 5 * time.Second}},
		{{"queued", 0, 20, 0, time.Second}, {"work", 20, 60, time.Second, 4 * time.Second}},
	} {
		assert.Equal(t, want, all[i].Stretches, all[i].Title)
	}
	assert.Contains(t, all[1].Steps, step{"5.00 s", "The job ends, 4.00 s after the answer, with an error: “http: Handler timeout”. It wrote 750 more rows, for no visitor."})
	assert.Nil(t, lanes(nil, nil)[2].Steps)
}
