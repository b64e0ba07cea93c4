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

// fails returns a mux whose jobs fail, except the nightly ones.
func fails() *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(Exporter.Handler(func(context.Context, int64) error { return errors.New("no disk") }))
	mux.Handle(RailsJob.Handler(func(context.Context, int64, Letter) error { return errors.New("no paper") }))
	mux.Handle(Nightly.Handler(func(context.Context) error { return nil }))
	return mux
}

func TestRequireFailedFindsFailures(t *testing.T) {
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
		`Exporter [43] has not failed on queue "exports". Failures:
    exports: Exporter [42]: errors.errorString: no disk  ← other arguments
    exports: Exporter [41]: errors.errorString: no disk  ← other arguments
    rails: LetterJob [7, {"to":"","size":0.0,"_aj_symbol_keys":["to","size"]}]: errors.errorString: no paper`: {Exporter, 43},
		`Exporter [42] has not failed on queue "urgent". Failures:
    exports: Exporter [42]: errors.errorString: no disk  ← on another queue
    exports: Exporter [41]: errors.errorString: no disk  ← other arguments
    rails: LetterJob [7, {"to":"","size":0.0,"_aj_symbol_keys":["to","size"]}]: errors.errorString: no paper`: {resque.Job{Queue: "urgent", Class: "Exporter", Args: []any{42}}},
		`resquetest: a job must be a definition or a resque.Job, not a string`: {"Exporter"},
	} {
		requireFails(t, true, message, func(t *fake) { resquetest.RequireFailed(t, client, what[0], what[1:]...) })
		requireFails(t, false, message, func(t *fake) {
			if resquetest.AssertFailed(t, client, what[0], what[1:]...) {
				t.Errorf("it returns true")
			}
		})
	}
	// The message about a missing job mentions failures.
	requireFails(t, true, `Exporter [42] is not waiting on queue "exports". No job is waiting.
Jobs that failed: 3. The last one: rails: LetterJob [7, {"to":"","size":0.0,"_aj_symbol_keys":["to","size"]}]: errors.errorString: no paper`,
		func(t *fake) { resquetest.RequireEnqueued(t, client, Exporter, 42) })
}

func TestRequireNoFailuresListsFailures(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	resquetest.RequireNoFailures(t, client)
	requireFails(t, true, `Nightly has not failed on queue "nightly". No job has failed.`,
		func(t *fake) { resquetest.RequireFailed(t, client, Nightly) })

	enqueue(t, client, Exporter.Job(41), Exporter.Job(41), Exporter.Job(42))
	require.Error(t, resquetest.PerformAll(t, client, fails()))
	const message = `No job should have failed. Failures:
    exports: Exporter [42]: errors.errorString: no disk
    exports: Exporter [41]: errors.errorString: no disk (2 times)`
	requireFails(t, true, message, func(t *fake) { resquetest.RequireNoFailures(t, client) })
	requireFails(t, false, message, func(t *fake) { resquetest.AssertNoFailures(t, client) })

	_, err := client.Failures().RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{All: true}, nil)
	require.NoError(t, err)
	assert.True(t, resquetest.AssertNoFailures(t, client))
}
