package testing

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/resquetest"
)

func TestSignUp(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	require.NoError(t, signUp(t.Context(), client, "ann@example.com"))

	resquetest.RequireEnqueued(t, client, Welcome, "ann@example.com")
	require.NoError(t, resquetest.PerformAll(t, client, jobs()))
	resquetest.RequireNoFailures(t, client)
}

func TestReminder(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	require.NoError(t, signUp(t.Context(), client, "ann@example.com"))

	reminder := resquetest.RequireScheduled(t, client, Reminder, "ann@example.com")
	assert.WithinDuration(t, time.Now().Add(24*time.Hour), reminder.Due, time.Minute)
	resquetest.RunScheduled(t, client)
	require.NoError(t, resquetest.PerformAll(t, client, jobs()))
}

func TestNightlyEndsAfterAnHour(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t) // before the bubble
	synctest.Test(t, func(t *testing.T) {
		_, err := client.Enqueue(t.Context(), Nightly.Job())
		require.NoError(t, err)
		err = resquetest.PerformAll(t, client, jobs()) // the hour is over at once
		var timeout *resque.TimeoutError
		require.ErrorAs(t, err, &timeout)
	})
}
