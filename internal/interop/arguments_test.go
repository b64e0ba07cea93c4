package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

// options is a hash whose members keep their order, as in Ruby.
type options struct {
	ID   int   `json:"id"`
	Opts []any `json:"opts"`
}

// arguments returns the arguments of testdata/arguments.rb as Go values.
func arguments(t *testing.T) [][]any {
	t.Helper()
	huge, ok := new(big.Int).SetString("123456789012345678901234567890", 10)
	require.True(t, ok)
	return [][]any{
		{},
		{1},
		{int64(-9223372036854775808), int64(9223372036854775807)},
		{json.Number(huge.String())},
		{0.1, 1.0, -2.5, 1e20, 1e-5, 1e17},
		{nil, true, false},
		{"", "a b", "tab\tline\nquote\"back\\slash/"},
		{"<script>&amp;</script>", "\u2028\u2029", "\u007f\u0001"},
		{"héllo", "日本語", "🦀 👩‍👩‍👧", "e\u0301"},
		{[]any{}, map[string]any{}, []any{[]any{}}, []any{map[string]any{}}},
		{options{7, []any{nil, true, 1.0, map[string]any{"deep": map[string]any{"deeper": []string{"ü"}}}}}},
		{[]any{1, []any{2, []any{3, []any{4}}}}, json.RawMessage(`{"":0,"ключ":"значение"}`)},
	}
}

func exporters(t *testing.T) []resque.Job {
	t.Helper()
	var jobs []resque.Job
	for _, args := range arguments(t) {
		jobs = append(jobs, resque.Job{Queue: "exports", Class: "Exporter", Args: args})
	}
	return jobs
}

// payloads returns the payloads that Go writes for jobs.
func payloads(t *testing.T, jobs []resque.Job) []string {
	t.Helper()
	var texts []string
	for _, job := range jobs {
		text, err := job.Encode()
		require.NoError(t, err)
		texts = append(texts, string(text))
	}
	return texts
}

func TestRubyEnqueuesGoPerforms(t *testing.T) {
	t.Parallel()
	server := start(t)
	ruby(t, server, "enqueue.rb")
	var got []string
	var values [][]any
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(_ context.Context, job *resque.Payload) error {
		got = append(got, string(job.Raw))
		args, targets := make([]any, len(job.Args)), []any{}
		for i := range args {
			targets = append(targets, &args[i])
		}
		values = append(values, args)
		return job.Bind(targets...)
	})
	work(t, server, mux, "exports")
	assert.Equal(t, payloads(t, exporters(t)), got, "Ruby and Go must write the same bytes")
	assert.Empty(t, list(t, server, "resque:failed"))

	require.Len(t, values, len(arguments(t)))
	assert.Equal(t, []any{json.Number("-9223372036854775808"), json.Number("9223372036854775807")}, values[2])
	assert.Equal(t, []any{nil, true, false}, values[5])
	assert.Equal(t, arguments(t)[7], values[7])
	assert.Equal(t, arguments(t)[8], values[8])
	assert.Equal(t, []any{map[string]any{
		"id": json.Number("7"),
		"opts": []any{nil, true, json.Number("1.0"), map[string]any{
			"deep": map[string]any{"deeper": []any{"ü"}},
		}},
	}}, values[10])
}

func TestGoEnqueuesRubyPerforms(t *testing.T) {
	t.Parallel()
	server := start(t)
	enqueue(t, server, exporters(t)...)
	assert.Empty(t, ruby(t, server, "work.rb"))
}

// Ruby's dequeue compares bytes, so Go must have written the same.
func TestRubyDequeuesWhatGoEnqueued(t *testing.T) {
	t.Parallel()
	server := start(t)
	enqueue(t, server, exporters(t)...)
	enqueue(t, server, resque.Job{Queue: "exports", Class: "Exporter", Args: []any{1}})
	counts := reply[[]any](t, ruby(t, server, "dequeue.rb"))
	want := []any{nil}
	for range counts[1:] {
		want = append(want, 1.0)
	}
	want[1] = 2.0 // this job was enqueued twice
	assert.Equal(t, want, counts)
	assert.Equal(t, payloads(t, exporters(t))[:1], list(t, server, "resque:queue:exports"), "not dequeued, because dequeue without arguments removes all jobs of the class")
}

// Jobs fail in Go, Ruby requeues their failures, and Go performs them again.
func TestGoPerformsWhatRubyRequeued(t *testing.T) {
	t.Parallel()
	server := start(t)
	want := payloads(t, exporters(t))
	enqueue(t, server, exporters(t)...)
	var got []string
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(_ context.Context, job *resque.Payload) error {
		got = append(got, string(job.Raw))
		switch {
		case len(got) > len(want):
			return nil
		case len(got) == 1:
			panic("first")
		default:
			return fmt.Errorf("not yet: %w", assert.AnError)
		}
	})
	work(t, server, mux, "exports")
	require.Equal(t, want, got)

	failures := reply[struct {
		Count int
		All   []struct {
			Payload                         json.RawMessage
			Exception, Error, Worker, Queue string
			Backtrace                       []string
			FailedAt                        string `json:"failed_at"`
		}
	}](t, ruby(t, server, "failures.rb"))
	require.Equal(t, len(want), failures.Count)
	require.Len(t, failures.All, len(want))
	for i, f := range failures.All {
		assert.Equal(t, want[i], string(f.Payload))
		assert.Equal(t, "exports", f.Queue)
		assert.Contains(t, f.Worker, "~go:")
		assert.Regexp(t, `^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d UTC$`, f.FailedAt)
	}
	assert.Equal(t, "PanicError", failures.All[0].Exception)
	assert.Equal(t, "panic: first", failures.All[0].Error)
	assert.Regexp(t, "arguments_test.go:\\d+:in `", failures.All[0].Backtrace[0])
	assert.Equal(t, "errors.errorString", failures.All[1].Exception)

	work(t, server, mux, "exports")
	assert.Equal(t, append(want, want...), got)
}
