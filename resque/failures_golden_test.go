package resque_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// twoFailed is what the recordings of failures begin with: two jobs that failed,
// and two that did not.
func twoFailed(t *testing.T, s *redistest.Server, list string) {
	t.Helper()
	c := s.Conn(t)
	commands := [][]any{
		{"SADD", "resque:queues", "exports"},
		{"SET", "resque:stat:failed", 2},
		{"SET", "resque:stat:processed", 4},
	}
	if list != resque.FailedList {
		commands = append(commands, []any{"SADD", "resque:failed_queues", list})
	}
	job := &resque.Payload{Queue: "exports", Worker: "host~go:12:exports", Raw: []byte(`{"class":"Exporter","args":[13]}`)}
	for range 2 {
		f := resque.NewFailure(job, &rubyError{"ArgumentError", "no export 13"}, moment)
		f.Backtrace = []string{"{FRAME}"}
		commands = append(commands, []any{"RPUSH", "resque:" + list, f.AppendJSON(nil)})
	}
	for _, command := range commands {
		_, err := c.Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
}

// idAt is the id of the failure at a position of a list.
func idAt(t *testing.T, f *resque.Failures, list string, position int64) resque.FailureID {
	t.Helper()
	for job, err := range f.Oldest(t.Context(), resque.FailureFilter{List: list}) {
		require.NoError(t, err)
		if job.ID.Position == position {
			return job.ID
		}
	}
	require.Fail(t, "no such failure")
	return resque.FailureID{}
}

func TestFailuresLeaveWhatRubyLeaves(t *testing.T) {
	t.Parallel()
	const ofExports = "exports_failed"
	type failures = *resque.Failures
	for _, test := range []struct {
		name, list string
		writes     bool // the writing commands must also equal Ruby's
		act        func(t *testing.T, f failures) error
	}{
		{"failure_all", resque.FailedList, true, func(*testing.T, failures) error { return nil }},
		{"failure_requeue", resque.FailedList, true, func(t *testing.T, f failures) error {
			t.Helper()
			_, err := f.Requeue(t.Context(), resque.RequeueOptions{}, idAt(t, f, resque.FailedList, 1))
			return err
		}},
		{"failure_requeue_all", resque.FailedList, true, func(t *testing.T, f failures) error {
			t.Helper()
			_, err := f.RequeueAll(t.Context(), resque.RequeueOptions{}, resque.FailureFilter{All: true}, nil)
			return err
		}},
		{"failure_requeue_queue", resque.FailedList, true, func(t *testing.T, f failures) error {
			t.Helper()
			_, err := f.RequeueAll(t.Context(), resque.RequeueOptions{}, resque.FailureFilter{Queue: "exports"}, nil)
			return err
		}},
		{"failure_remove", resque.FailedList, false, func(t *testing.T, f failures) error {
			t.Helper()
			_, err := f.Remove(t.Context(), resque.RemoveOptions{}, idAt(t, f, resque.FailedList, 0))
			return err
		}},
		{"failure_clear", resque.FailedList, false, func(t *testing.T, f failures) error {
			t.Helper()
			_, err := f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{All: true}, nil)
			return err
		}},
		{"failure_clear_retried", resque.FailedList, false, func(t *testing.T, f failures) error {
			t.Helper()
			_, err := f.Requeue(t.Context(), resque.RequeueOptions{}, idAt(t, f, resque.FailedList, 0))
			require.NoError(t, err)
			_, err = f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{Requeued: resque.OnlyRequeued}, nil)
			return err
		}},
		{"failure_remove_queue", resque.FailedList, false, func(t *testing.T, f failures) error {
			t.Helper()
			_, err := f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{Queue: "exports"}, nil)
			return err
		}},
		{"multi_queue_requeue", ofExports, true, func(t *testing.T, f failures) error {
			t.Helper()
			_, err := f.Requeue(t.Context(), resque.RequeueOptions{}, idAt(t, f, ofExports, 0))
			return err
		}},
		{"multi_queue_requeue_all", ofExports, false, func(t *testing.T, f failures) error {
			t.Helper()
			_, err := f.RequeueAll(t.Context(), resque.RequeueOptions{}, resque.FailureFilter{All: true}, nil)
			return err
		}},
		{"multi_queue_clear", ofExports, false, func(t *testing.T, f failures) error {
			t.Helper()
			_, err := f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{List: ofExports}, nil)
			return err
		}},
		{"multi_queue_remove_queue", ofExports, false, func(t *testing.T, f failures) error {
			t.Helper()
			_, err := f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{Queue: "exports"}, nil)
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				recording := golden.Load(t, test.name)
				want := maps.Clone(recording.Keyspace)
				delete(want, "resque:pruning_dead_workers_in_progress")
				twoFailed(t, s, test.list)
				stop := func() [][]string { return nil }
				if s.Real {
					stop = s.Monitor(t)
				}
				require.NoError(t, test.act(t, s.Client(t).Failures()))
				commands := stop()
				assert.Equal(t, want, golden.Dump(t, s.Conn(t)))
				if s.Real && test.writes {
					assert.Equal(t, golden.Writes(recording.Commands), golden.Writes(commands))
				}
			})
		})
	}
}

func TestFailuresReadWhatRubyReads(t *testing.T) {
	t.Parallel()
	recording := golden.Load(t, "failure_all")
	var want []json.RawMessage
	require.NoError(t, json.Unmarshal(recording.Result, &want))
	s := redistest.Start(t)
	twoFailed(t, s, resque.FailedList)
	f := s.Client(t).Failures()

	n, err := f.Count(t.Context(), resque.FailureFilter{})
	require.NoError(t, err)
	assert.JSONEq(t, string(want[0]), string(mustJSON(t, n)))
	var records []json.RawMessage
	for job, err := range f.Oldest(t.Context(), resque.FailureFilter{}) {
		require.NoError(t, err)
		require.NoError(t, job.Damage)
		assert.Equal(t, moment.Unix(), job.FailedAt.Unix())
		records = append(records, json.RawMessage(golden.Clean(string(job.Raw))))
	}
	assert.JSONEq(t, string(want[1]), string(mustJSON(t, records)))
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return text
}
