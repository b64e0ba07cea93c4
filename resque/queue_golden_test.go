package resque_test

import (
	"context"
	"encoding/json"
	"iter"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// collect reads an iterator that must have no error.
func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	all := []T{}
	for v, err := range seq {
		require.NoError(t, err)
		all = append(all, v)
	}
	return all
}

// said is a job as the recordings' results have it.
func said(jobs ...*resque.Payload) []any {
	all := []any{}
	for _, job := range jobs {
		all = append(all, map[string]any{"class": job.Class, "args": job.Args})
	}
	return all
}

func exporter(id int) resque.Job {
	return resque.Job{Queue: "exports", Class: "Exporter", Args: []any{id}}
}

// clientScenario is a recording, and what of Go's does the same.
type clientScenario struct {
	name    string
	before  []resque.Job // queued before it
	act     func(t *testing.T, client *resque.Client) any
	commute bool // the commands are others; what they write is the same
}

func clientScenarios() []clientScenario {
	three := []resque.Job{exporter(1), exporter(2), exporter(2)}
	two := []resque.Job{exporter(1), {Queue: "mail", Class: "Mailer", Args: []any{1}}}
	return []clientScenario{
		{name: "push_pop_peek", act: pushPopPeek, commute: true},
		{name: "dequeue_args", before: three, act: func(t *testing.T, client *resque.Client) any {
			t.Helper()
			removed, ok, err := client.Dequeue(t.Context(), resque.Define1[int]("Exporter", "exports").Job(2))
			require.NoError(t, err)
			assert.True(t, ok)
			return removed
		}, commute: true},
		{name: "remove_queue", before: three[:1], act: func(t *testing.T, client *resque.Client) any {
			t.Helper()
			jobs, known, err := client.RemoveQueue(t.Context(), "exports")
			require.NoError(t, err)
			assert.EqualValues(t, 1, jobs)
			assert.True(t, known)
			return []int{1, 1} // SREM and DEL
		}, commute: true},
		{name: "info", before: two, act: func(t *testing.T, client *resque.Client) any {
			t.Helper()
			info, err := client.Info(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{client.Redis().String()}, info.Servers)
			return map[string]any{
				"pending": info.Pending, "processed": info.Processed, "queues": info.Queues, "workers": info.Workers,
				"working": info.Working, "failed": info.Failed, "environment": "development", // which the command adds
			}
		}, commute: true},
		{name: "queue_sizes", before: two, act: queueSizes, commute: true},
		{name: "enqueue_vetoed", act: func(t *testing.T, client *resque.Client) any {
			t.Helper()
			vetoed := resque.Define1[int]("Exporter", "exports",
				resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) { return false, nil }))
			receipt, err := client.Enqueue(t.Context(), vetoed.Job(1))
			require.NoError(t, err)
			assert.False(t, receipt.Enqueued())
			return nil
		}},
		{name: "enqueue_no_queue", act: func(t *testing.T, client *resque.Client) any {
			t.Helper()
			_, err := client.Enqueue(t.Context(), resque.Job{Class: "Exporter"})
			require.ErrorIs(t, err, resque.ErrNoQueue)
			return json.RawMessage(golden.Load(t, "enqueue_no_queue").Result) // Ruby names the object
		}},
	}
}

func pushPopPeek(t *testing.T, client *resque.Client) any {
	t.Helper()
	require.NoError(t, client.Push(t.Context(), "exports", []byte(`{"class":"Exporter","args":[1]}`)))
	require.NoError(t, client.Push(t.Context(), "exports", []byte(`{"class":"Exporter","args":[2]}`)))
	size, err := client.Size(t.Context(), "exports")
	require.NoError(t, err)
	one := collect(t, client.Peek(t.Context(), "exports", 0, 1))
	two := collect(t, client.Peek(t.Context(), "exports", 0, 2))
	popped, ok, err := client.Pop(t.Context(), "exports")
	require.NoError(t, err)
	assert.True(t, ok)
	return []any{size, said(one...)[0], said(two...), said(popped)[0]}
}

func queueSizes(t *testing.T, client *resque.Client) any {
	t.Helper()
	sizes, err := client.QueueSizes(t.Context())
	require.NoError(t, err)
	samples := map[string]any{}
	for _, s := range collect(t, client.SampleQueues(t.Context(), 10)) {
		samples[s.Queue] = map[string]any{"size": s.Size, "samples": said(s.Jobs...)}
	}
	return []any{sizes, samples}
}

func TestClientDoesWhatRubyDoes(t *testing.T) {
	t.Parallel()
	for _, s := range clientScenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			want := golden.Load(t, s.name)
			redistest.Both(t, func(t *testing.T, server *redistest.Server) {
				client := server.Client(t)
				_, err := client.EnqueueAll(t.Context(), s.before)
				require.NoError(t, err)
				commands := func() [][]string { return want.Commands }
				if server.Real {
					commands = server.Monitor(t)
				}
				got := s.act(t, client)
				assert.JSONEq(t, string(want.Result), asJSON(t, got))
				if s.commute {
					assert.Equal(t, golden.Writes(want.Commands), golden.Writes(commands()))
				} else {
					assert.Equal(t, append([][]string{}, want.Commands...), append([][]string{}, commands()...))
				}
				assert.Equal(t, want.Keyspace, golden.Dump(t, server.Conn(t)))
			})
		})
	}
}

// Ruby removes every job that has the bytes of one of the class's; ours marks each
// one in its place.
func TestDequeueClassLeavesWhatRubyLeaves(t *testing.T) {
	t.Parallel()
	want := golden.Load(t, "dequeue_class")
	redistest.Both(t, func(t *testing.T, server *redistest.Server) {
		client := server.Client(t)
		_, err := client.EnqueueAll(t.Context(), []resque.Job{exporter(1), {Queue: "exports", Class: "Other"}, exporter(2)})
		require.NoError(t, err)
		removed, ok, err := client.DequeueClass(t.Context(), resque.Define1[int]("Exporter", "exports").AnyJob())
		require.NoError(t, err)
		assert.True(t, ok)
		assert.JSONEq(t, string(want.Result), asJSON(t, removed))
		assert.Equal(t, want.Keyspace, golden.Dump(t, server.Conn(t)))
	})
}

// Inline mode performs and touches no Redis.
func TestInlineIsRubys(t *testing.T) {
	t.Parallel()
	want := golden.Load(t, "inline")
	require.Empty(t, want.Commands)
	performed := 0
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error {
		performed++
		return nil
	})
	receipt, err := inline(t, mux).Enqueue(t.Context(), exporter(1))
	require.NoError(t, err)
	assert.JSONEq(t, string(want.Result), asJSON(t, receipt.Enqueued()))
	assert.Equal(t, 1, performed)
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}
