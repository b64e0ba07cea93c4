package resquetest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/resquetest"
)

func TestScheduledJobsAreFound(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	letter := Letter{To: "ann", Size: 1}
	before := time.Now().Truncate(time.Second)
	enqueue(t, client, Exporter.Job(2).In(2*time.Hour), Exporter.Job(1).In(time.Hour), RailsJob.Job(7, letter).In(time.Hour), Nightly.Job())

	job := resquetest.RequireScheduled(t, client, Exporter)
	assert.Equal(t, `{"class":"Exporter","args":[1]}`, string(job.Raw), "the first one that is due")
	assert.WithinRange(t, job.Due, before.Add(time.Hour), time.Now().Add(time.Hour))
	assert.True(t, resquetest.AssertScheduled(t, client, Exporter, 2))
	assert.True(t, resquetest.AssertScheduled(t, client, RailsJob, 7, letter))
	assert.Len(t, resquetest.Scheduled(t, client, Exporter), 2)
	resquetest.RequireNotScheduled(t, client, Nightly)
	resquetest.RequireNotEnqueued(t, client, Exporter)
	assert.Empty(t, resquetest.Scheduled(t, client, resque.Job{Queue: "other", Class: "Exporter"}))

	assert.EqualValues(t, 3, resquetest.RunScheduled(t, client))
	resquetest.RequireNotScheduled(t, client, Exporter)
	resquetest.RequireEnqueued(t, client, Exporter, 1)
	resquetest.RequireEnqueued(t, client, RailsJob, 7, letter)
}

func TestScheduledFails(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	requireFails(t, true, `Exporter [1] is not delayed for queue "exports". No job is delayed.`,
		func(t *fake) { resquetest.RequireScheduled(t, client, Exporter, 1) })
	enqueue(t, client, Exporter.Job(1).In(time.Hour))
	requireFails(t, false, `Exporter [2] is not delayed for queue "exports". Delayed jobs:
    exports: Exporter [1]  ← other arguments`,
		func(t *fake) { resquetest.AssertScheduled(t, client, Exporter, 2) })
	requireFails(t, true, `Exporter should not be delayed:
    exports: Exporter [1]`,
		func(t *fake) { resquetest.RequireNotScheduled(t, client, Exporter) })
	requireFails(t, true, "resquetest: a job must be a definition or a resque.Job, not a string",
		func(t *fake) { resquetest.Scheduled(t, client, "Exporter") })

	inline, err := resque.New(nil, resque.Config{Inline: resque.NewMux()})
	require.NoError(t, err)
	const message = "resquetest: this client is inline: it performs jobs at once, so no job is waiting or recorded as failed"
	requireFails(t, true, message, func(t *fake) { resquetest.RunScheduled(t, inline) })
	requireFails(t, false, message, func(t *fake) { resquetest.AssertNotScheduled(t, inline, Exporter) })
}
