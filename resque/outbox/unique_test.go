package outbox

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/unique"
)

// Jobs of unique classes take their locks when the relay enqueues them. Those of which an
// equal one is there are dropped. Without the classes nothing could take the locks, so such
// jobs are refused.
func TestUniqueJobs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, sqliteSource(t))
	only := resque.Define1[int64]("Only", "exports", unique.Policy{By: unique.Args(1)})
	tx, err := f.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	_, err = Write(t.Context(), tx, only.Job(1))
	require.ErrorContains(t, err, "storing Only: the lock of its unique.Policy is taken when the job is enqueued")
	_, err = Writer{Client: f.client}.Write(t.Context(), tx, only.Job(1))
	require.ErrorContains(t, err, "WithJobs")

	mux := resque.NewMux()
	mux.Handle(only.Handler(func(context.Context, int64) error { return nil }))
	f.client = f.client.WithJobs(mux)
	_, err = Writer{Client: f.client}.Write(t.Context(), tx, only.Job(1), exporter.Job(2), only.Job(1), only.Job(3))
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	f.run(t, f.relay())
	f.empty(t)
	assert.Equal(t, []string{`{"class":"Only","args":[1]}`, `{"class":"Exporter","args":[2]}`, `{"class":"Only","args":[3]}`}, f.payloads(t, "exports"))
	receipt, err := f.client.Enqueue(t.Context(), only.Job(1))
	require.NoError(t, err)
	assert.Equal(t, resque.Duplicate, receipt.State)
}
