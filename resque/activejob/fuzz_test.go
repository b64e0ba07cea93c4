package activejob_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// FuzzArguments decodes arguments into everything. What can be enqueued again
// must be read back as the same.
func FuzzArguments(f *testing.F) {
	for _, version := range versions() {
		for _, r := range golden.Family(f, "activejob-"+version) {
			for _, payload := range r.Pushed() {
				var p struct {
					Args []struct{ Arguments json.RawMessage }
				}
				if json.Unmarshal([]byte(payload), &p) == nil && len(p.Args) == 1 {
					f.Add([]byte(p.Args[0].Arguments))
				}
			}
		}
	}
	f.Add([]byte(`[{"a":1,"_aj_symbol_keys":["a"],"_aj_serialized":null,"a":2}]`))
	f.Fuzz(func(t *testing.T, arguments []byte) {
		payload := append(append([]byte(`{"class":"`+activejob.JobWrapper+`","args":[{"job_class":"J","arguments":`), arguments...), "}]}"...)
		outer, err := resque.ParsePayload("q", payload)
		if err != nil {
			return
		}
		mux := resque.NewMux()
		mux.Handle(activejob.Route("J", nothing))
		job, err := mux.Unwrap(outer)
		if err != nil {
			return
		}
		bindEverything(t, job)
		values := activejob.Values(job)
		text, err := activejob.Job{Class: "J", Queue: "q", Args: values}.Resque().Encode()
		if err != nil { // a mark among the keys, say
			return
		}
		again := activejob.Values(unwrap(t, string(text)))
		once := must(t)(activejob.Job{Class: "J", Queue: "q", Args: again, ID: "x", EnqueuedAt: time.Unix(0, 0)}.Resque().Encode())
		twice := must(t)(activejob.Job{Class: "J", Queue: "q", Args: values, ID: "x", EnqueuedAt: time.Unix(0, 0)}.Resque().Encode())
		assert.Equal(t, string(twice), string(once))
	})
}

func bindEverything(t *testing.T, job *resque.Payload) {
	t.Helper()
	for _, arg := range job.Args {
		one := &resque.Payload{Class: "J", Args: []json.RawMessage{arg}}
		for _, target := range []any{
			new(any), new(string), new(int64), new(float64), new(bool), new(filter), new(activejob.Keywords[base]), new(map[string]any), new([]any),
			new(time.Time), new(time.Duration), new(activejob.Decimal), new(activejob.Date), new(activejob.GlobalID), new(activejob.Hash), new(shouted),
			new(map[string]map[string]time.Time), new(*[]base), new(json.RawMessage),
		} {
			if err := activejob.Bind(one, target); err != nil {
				require.NotEmpty(t, err.Error())
			}
		}
		if id, ok := activejob.Values(one)[0].(activejob.GlobalID); ok {
			_, _ = id.Int64()
			_ = id.App() + id.Model()
		}
		if d, ok := activejob.Values(one)[0].(activejob.Decimal); ok {
			_, _ = d.Rat()
		}
	}
}
