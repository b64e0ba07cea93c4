package resquetest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/resquetest"
)

// fails is a mux whose jobs all fail, but for the nightly ones.
func fails() *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(Exporter.Handler(func(context.Context, int64) error { return errors.New("no disk") }))
	mux.Handle(RailsJob.Handler(func(context.Context, int64, Letter) error { return errors.New("no paper") }))
	mux.Handle(Nightly.Handler(func(context.Context) error { return nil }))
	return mux
}

func TestRequireFailed(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	enqueue(t, client, Exporter.Job(41), Exporter.Job(42), RailsJob.Job(7, Letter{}), Nightly.Job())
	require.Error(t, resquetest.PerformAll(t, client, fails()))

	assert.Equal(t, "no disk", resquetest.RequireFailed(t, client, Exporter, 41).Error)
	newest := resquetest.RequireFailed(t, client, Exporter)
	assert.JSONEq(t, `{"class":"Exporter","args":[42]}`, string(newest.Payload))
	assert.True(t, resquetest.AssertFailed(t, client, RailsJob, 7, Letter{}))
	assert.True(t, resquetest.AssertFailed(t, client, RailsJob))
	assert.Equal(t, "no paper", resquetest.RequireFailed(t, client, resque.Job{Class: "LetterJob"}).Error)

	for message, what := range map[string][]any{
		`Exporter [43] has not failed on queue "exports". What has:
    exports: Exporter [42]: errors.errorString: no disk  ← other arguments
    exports: Exporter [41]: errors.errorString: no disk  ← other arguments
    rails: LetterJob [7, {"to":"","size":0.0,"_aj_symbol_keys":["to","size"]}]: errors.errorString: no paper`: {Exporter, 43},
		`Exporter [42] has not failed on queue "urgent". What has:
    exports: Exporter [42]: errors.errorString: no disk  ← on another queue
    exports: Exporter [41]: errors.errorString: no disk  ← other arguments
    rails: LetterJob [7, {"to":"","size":0.0,"_aj_symbol_keys":["to","size"]}]: errors.errorString: no paper`: {resque.Job{Queue: "urgent", Class: "Exporter", Args: []any{42}}},
		`resquetest: a job is named by a definition or a resque.Job, not by a string`: {"Exporter"},
	} {
		requireFails(t, true, message, func(t *fake) { resquetest.RequireFailed(t, client, what[0], what[1:]...) })
		requireFails(t, false, message, func(t *fake) {
			if resquetest.AssertFailed(t, client, what[0], what[1:]...) {
				t.Errorf("it says true")
			}
		})
	}
	// A job that is missing may have failed.
	requireFails(t, true, `Exporter [42] is not waiting on queue "exports": nothing is waiting.
And 3 failed; the last one: rails: LetterJob [7, {"to":"","size":0.0,"_aj_symbol_keys":["to","size"]}]: errors.errorString: no paper`,
		func(t *fake) { resquetest.RequireEnqueued(t, client, Exporter, 42) })
}

func TestRequireNoFailures(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	resquetest.RequireNoFailures(t, client)
	requireFails(t, true, `Nightly has not failed on queue "nightly": nothing has failed.`,
		func(t *fake) { resquetest.RequireFailed(t, client, Nightly) })

	enqueue(t, client, Exporter.Job(41), Exporter.Job(41), Exporter.Job(42))
	require.Error(t, resquetest.PerformAll(t, client, fails()))
	const message = `No job should have failed. What has:
    exports: Exporter [42]: errors.errorString: no disk
    exports: Exporter [41]: errors.errorString: no disk (2 times)`
	requireFails(t, true, message, func(t *fake) { resquetest.RequireNoFailures(t, client) })
	requireFails(t, false, message, func(t *fake) { resquetest.AssertNoFailures(t, client) })

	_, err := client.Failures().RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{}, nil)
	require.NoError(t, err)
	assert.True(t, resquetest.AssertNoFailures(t, client))
}
