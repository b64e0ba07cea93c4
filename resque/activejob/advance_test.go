package activejob

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
)

// retries are the recordings of retry_on and what each was declared with.
func retries() map[string]advance {
	priority := 9
	return map[string]advance{
		"retry_arg":        {exceptions: "[ArgumentError]", wait: 10 * time.Second},
		"retry_arg_second": {exceptions: "[ArgumentError]", wait: 10 * time.Second},
		"retry_key":        {exceptions: "[KeyError, IndexError]"},
		"retry_zero":       {exceptions: "[ZeroDivisionError]", wait: 3 * time.Second},
		"retry_io":         {exceptions: "[IOError]", wait: 7 * time.Second, queue: "slow", priority: &priority},
	}
}

func TestNextAttemptIsAsRailsWritesIt(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"6.1", "7.1.6", "8.1.3.1"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			seen := 0
			for _, r := range golden.Family(t, "activejob-"+version) {
				a, ok := retries()[r.Name]
				if !ok {
					continue
				}
				seen++
				want := r.Pushed()[0]
				if i := strings.LastIndex(want, `],"queue":`); i > 0 { // the scheduler's
					want = want[:i] + "]}"
				}
				o, err := envelopeOf([]byte(want))
				require.NoError(t, err)
				a.now = o.time("enqueued_at")
				got, err := a.next([]byte(r.Popped(t)))
				require.NoError(t, err)
				assert.Equal(t, want, string(got), r.Name)
			}
			assert.Equal(t, len(retries()), seen)
			t.Logf("Rails %s: %d of %d next attempts written byte for byte", version, seen, len(retries()))
		})
	}
}

func TestNextAttemptKeepsEveryOtherByte(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 12, 34, 56, 7e6, time.UTC)
	const before, after = `{"class":"` + JobWrapper + `","args":[`, `]}`
	for name, c := range map[string]struct{ old, want string }{
		"spaces, escapes and unknown members": {
			` { "arguments" : [1.50, "\u003c"] , "executions" : 7 , "exception_executions" : { "[Other]" : 2 } , "x" : {"_aj":1e5} } `,
			` { "arguments" : [1.50, "\u003c"] , "executions" : 8 , "exception_executions" : { "[Other]" : 2,"[E]":1 } , "x" : {"_aj":1e5} } `,
		},
		"no executions":           {`{"job_class":"J" }`, `{"job_class":"J" ,"executions":1}`},
		"nulls":                   {`{"executions":null,"exception_executions":null,"enqueued_at":null}`, `{"executions":1,"exception_executions":null,"enqueued_at":"2026-01-15T12:34:56.007000000Z"}`},
		"the count of before":     {`{"executions":1,"exception_executions":{"a":1,"[\u0045]":41}}`, `{"executions":2,"exception_executions":{"a":1,"[\u0045]":42}}`},
		"no counts yet":           {`{"executions":0,"exception_executions":{}}`, `{"executions":1,"exception_executions":{"[E]":1}}`},
		"the last of two members": {`{"executions":1,"executions":5}`, `{"executions":1,"executions":6}`},
		"times of Rails 6.1":      {`{"executions":0,"enqueued_at":"2020-01-01T00:00:00Z"}`, `{"executions":1,"enqueued_at":"2026-01-15T12:34:56Z"}`},
		"times of Rails 7.1": {
			`{"executions":0,"enqueued_at":"2020-01-01T00:00:00.000000000Z","scheduled_at":null}`,
			`{"executions":1,"enqueued_at":"2026-01-15T12:34:56.007000000Z","scheduled_at":"2026-01-15T12:34:57.007000000Z"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := advance{exceptions: "[E]", now: now, wait: time.Second}
			got, err := a.next([]byte(before + c.old + after))
			require.NoError(t, err)
			assert.Equal(t, before+c.want+after, string(got))
			tail := `],"trace":"<a>","queue":"q"}`
			got, err = a.next([]byte(`{"x":[{}],"class":"` + JobWrapper + `" , "args" : [ ` + c.old + tail))
			require.NoError(t, err)
			assert.Equal(t, `{"x":[{}],"class":"`+JobWrapper+`" , "args" : [ `+c.want+tail, string(got))
		})
	}
	for _, bad := range []string{`{}`, `{"class":"J","args":[{}]}`, before + after, before + `1` + after, before + `{},{}` + after, `x`} {
		_, err := advance{exceptions: "[E]"}.next([]byte(bad))
		var e *EnvelopeError
		require.ErrorAs(t, err, &e, bad)
		assert.Equal(t, "ActiveJob::DeserializationError", e.ExceptionName())
	}
}

func FuzzNextAttempt(f *testing.F) {
	for _, r := range golden.Family(f, "activejob-8.1.3.1") {
		for _, payload := range r.Pushed() {
			f.Add([]byte(payload))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		o, err := envelopeOf(payload)
		if err != nil {
			return
		}
		priority := 1
		next, err := advance{
			exceptions: "[<é\n\">]", now: time.Unix(0, 0), queue: "q", priority: &priority,
			progress: &progress{Continuation: []byte(`{"completed":["<"]}`), Resumptions: 3},
		}.next(payload)
		require.NoError(t, err)
		after, err := envelopeOf(next)
		require.NoError(t, err, "%s", next)
		assert.Equal(t, o.count("executions")+1, after.count("executions"), "%s", next)
		continuation, _ := after.get("continuation")
		assert.Equal(t, `{"completed":["<"]}`, string(continuation))
		assert.Equal(t, 3, after.count("resumptions"))
		for _, m := range o.members { // the others are as they were
			switch m.Name {
			case "executions", "exception_executions", "enqueued_at", "scheduled_at", "queue_name", "priority", "continuation", "resumptions":
				continue
			}
			was, _ := o.get(m.Name)
			is, _ := after.get(m.Name)
			assert.Equal(t, string(was), string(is))
		}
	})
}
