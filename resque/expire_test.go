package resque_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

func TestExpiredJobsAreNotPerformed(t *testing.T) {
	t.Parallel()
	code := resque.Define0("Code", "sms", resque.ExpireAfter(10*time.Minute))
	performed := 0
	mux := resque.NewMux()
	mux.Handle(code.Handler(func(context.Context) error { performed++; return nil }))
	perform := func(members string) error {
		job, err := resque.ParsePayload("sms", []byte(`{"class":"Code","args":[]`+members+`}`))
		require.NoError(t, err)
		return mux.Perform(t.Context(), job)
	}
	ago := func(d time.Duration) string {
		text, err := json.Marshal(time.Now().Add(-d).UTC().Format(time.RFC3339Nano))
		require.NoError(t, err)
		return `,"enqueued_at":` + string(text)
	}
	require.NoError(t, perform(""), "without the time")
	require.NoError(t, perform(`,"enqueued_at":"nonsense"`))
	require.NoError(t, perform(ago(0)))
	require.NoError(t, perform(ago(-time.Hour)), "another clock")
	assert.Equal(t, 4, performed)

	err := perform(ago(time.Hour))
	require.ErrorIs(t, err, resque.ErrDontPerform)
	require.EqualError(t, err, "Code: expired: it has waited 1h0m0s, longer than 10m0s")
	assert.Equal(t, 4, performed)
	outcome, _ := resque.ResultOf(t.Context(), err)
	assert.Equal(t, resque.ResultDropped, outcome)
}

func TestExpiryCountsFromTheTimeAtWhichAJobIsDue(t *testing.T) {
	t.Parallel()
	code := resque.Define0("Code", "sms", resque.ExpireAfter(time.Minute))
	client, err := resque.New(nil, resque.Config{Inline: resque.NewMux()})
	require.NoError(t, err)
	now := time.Now()
	for name, c := range map[string]struct {
		job  resque.Job
		want time.Time
	}{
		"now":  {code.Job(), now},
		"at":   {code.Job().At(now.Add(time.Hour)), now.Add(time.Hour)},
		"in":   {code.Job().In(time.Hour), now.Add(time.Hour)},
		"past": {code.Job().At(now.Add(-time.Hour)), now},
	} {
		_, err := client.StoreWith(t.Context(), c.job, func(_ context.Context, queue string, raw []byte, _ time.Time) error {
			p, err := resque.ParsePayload(queue, raw)
			require.NoError(t, err)
			since, ok := p.WaitingSince()
			assert.True(t, ok, name)
			assert.WithinDuration(t, c.want, since, time.Minute, name)
			return nil
		})
		require.NoError(t, err)
	}
	assert.PanicsWithValue(t, `resque: class "A": setting 1: ExpireAfter must be more than 0`, func() {
		resque.Define0("A", "q", resque.ExpireAfter(0))
	})
}
