package resque_test

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/resque"
)

// options is a hash argument with its members in the order in which Ruby writes them.
type options struct {
	ID   int64 `json:"id"`
	Opts []any `json:"opts"`
}

func TestPayloadIsRubys(t *testing.T) {
	t.Parallel()
	define1 := resque.Define1[options]("Exporter", "urgent")
	define2 := resque.Define2[int, string]("Exporter", "exports")
	for _, c := range []struct {
		recording string
		job       resque.Job
	}{
		{"enqueue", define2.Job(1, "a")},
		{"enqueue", resque.Job{Class: "Exporter", Args: []any{1, "a"}}},
		{"enqueue_no_args", resque.Define0("Exporter", "exports").Job()},
		{"enqueue_no_args", resque.Job{Class: "Exporter", Args: []any{}}},
		{"enqueue_to", define1.Job(options{7, []any{nil, true, 1.0}})},
		{"enqueue_to", resque.Job{Class: "Exporter", Args: []any{map[string]any{"id": 7, "opts": []any{nil, true, 1.0}}}}},
	} {
		t.Run(c.recording, func(t *testing.T) {
			t.Parallel()
			commands := golden.Load(t, c.recording).Commands
			want := commands[len(commands)-1][2]
			got, err := c.job.Encode()
			require.NoError(t, err)
			assert.Equal(t, want, string(got))
		})
	}
}

func TestPayloadSpelling(t *testing.T) {
	t.Parallel()
	big300, ok := new(big.Int).SetString("1"+strings.Repeat("0", 300), 10)
	require.True(t, ok)
	for _, c := range []struct {
		name string
		arg  any
		want string
	}{
		{"nil", nil, `null`},
		{"markup", "<b>&</b>", `"<b>&</b>"`},
		{"line separator", "\u2028", "\"\u2028\""},
		{"quote, control, delete", "\"\\\n\x01\x7f", `"\"\\\n\u0001` + "\x7f\""},
		{"whole float", 1.0, `1.0`},
		{"large float", 1e20, `1.0e+20`},
		{"largest integer", uint64(math.MaxUint64), `18446744073709551615`},
		{"larger integer", big300, "1" + strings.Repeat("0", 300)},
		{"time", time.Date(2026, 1, 15, 12, 34, 56, 789e6, time.UTC), `"2026-01-15T12:34:56.789Z"`},
		{"nil slice", []int(nil), `null`},
		{"struct", struct {
			A int `json:"a,omitempty"`
			B string
		}{B: "x"}, `{"B":"x"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := resque.Job{Class: "J", Args: []any{c.arg}}.Encode()
			require.NoError(t, err)
			assert.Equal(t, `{"class":"J","args":[`+c.want+`]}`, string(got))
		})
	}
}

func TestPayloadRefuses(t *testing.T) {
	t.Parallel()
	deep := any("x")
	for range 99 {
		deep = []any{deep}
	}
	for _, c := range []struct {
		name string
		job  resque.Job
		says string
	}{
		{"NaN", resque.Job{Class: "Exporter", Args: []any{1, math.NaN()}}, "resque: Exporter: argument 2: NaN not allowed in JSON"},
		{"infinity inside", resque.Job{Class: "Exporter", Args: []any{map[string]any{"ratio": math.Inf(-1)}}}, "resque: Exporter: argument 1: .ratio: -Infinity not allowed in JSON"},
		{"text", resque.Job{Class: "Exporter", Args: []any{"a\xff"}}, "resque: Exporter: argument 1: source sequence is illegal/malformed utf-8"},
		{"channel", resque.Job{Class: "Exporter", Args: []any{1, 2, make(chan int)}}, "resque: Exporter: argument 3: unsupported type chan int"},
		{"depth", resque.Job{Class: "Exporter", Args: []any{deep}}, "resque: Exporter: argument 1: " + strings.Repeat("[0]", 98) + ": nesting of 100 is too deep"},
		{"class text", resque.Job{Class: "a\xff"}, `resque: class "a\xff": source sequence is illegal/malformed utf-8`},
		{"no class", resque.Job{Queue: "q"}, "resque: jobs must be given a class"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			payload, err := c.job.Encode()
			require.EqualError(t, err, c.says)
			assert.Empty(t, payload)
		})
	}
}

// ParsePayload must parse everything that Encode writes, even the deepest argument.
func TestPayloadIsReadBack(t *testing.T) {
	t.Parallel()
	deep := any("x")
	for range 98 {
		deep = []any{deep}
	}
	payload, err := resque.Job{Class: "Exporter::Déjà<\">", Args: []any{deep}}.Encode()
	require.NoError(t, err)
	job, err := resque.ParsePayload("q", payload)
	require.NoError(t, err)
	assert.Equal(t, "Exporter::Déjà<\">", job.Class)
	assert.Equal(t, "q", job.Queue)
	assert.Len(t, job.Args, 1)
	assert.Equal(t, payload, job.Raw)
}

func TestParsePayloadRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, payload, says string }{
		{"nothing", "", `unreadable payload in queue "exports": invalid JSON at byte 0: unexpected end, want a value`},
		{"array", "[]", `unreadable payload in queue "exports": payload is not an object`},
		{"no class", "{}", `unreadable payload in queue "exports": payload has no class`},
		{"class null", `{"class":null}`, `unreadable payload in queue "exports": payload has no class`},
		{"class empty", `{"class":""}`, `unreadable payload in queue "exports": payload has no class`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := resque.ParsePayload("exports", []byte(c.payload))
			require.EqualError(t, err, c.says)
			var unreadable *resque.UnreadableError
			require.ErrorAs(t, err, &unreadable)
			assert.Equal(t, "Resque::Helpers::DecodeException", unreadable.ExceptionName())
		})
	}
}
