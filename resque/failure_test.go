package resque_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

var moment = time.Date(2026, 1, 15, 13, 34, 56, 0, time.FixedZone("CET", 3600)) //nolint:gochecknoglobals // a constant

// rubyError is an error with the name of a Ruby class.
type rubyError struct{ class, message string }

func (e *rubyError) Error() string         { return e.message }
func (e *rubyError) ExceptionName() string { return e.class }

func TestFailureIsRubys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		recording, payload, class, message string
	}{
		{"work_fail", `{"class":"Exporter","args":[13]}`, "ArgumentError", "no export 13"},
		{"work_fail_unicode", `{"class":"Exporter","args":[14]}`, "RuntimeError", "héllo \"quoted\" <b>&\u2028"},
	} {
		t.Run(c.recording, func(t *testing.T) {
			t.Parallel()
			want := golden.Load(t, c.recording).Keyspace["resque:failed"].Value.([]any)[0].(string)
			job := &resque.Payload{Queue: "exports", Worker: "host~go:12-3:exports", Raw: []byte(c.payload)}
			failure := resque.NewFailure(job, &rubyError{c.class, c.message}, moment)
			failure.Backtrace = []string{"/app/exporter.go:12:in `perform'"}
			record := string(failure.AppendJSON([]byte("x")))
			assert.Equal(t, "x"+want, golden.Clean(record))
			assert.Contains(t, record, `"failed_at":"2026/01/15 12:34:56 UTC"`)
		})
	}
}

// deep is an object with n levels open at once.
func deep(n int) string {
	return `{"class":"A","args":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
}

func TestFailureOfUnreadablePayload(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"NaN": `{"class":"A","args":[NaN]}`, "hexadecimal": `{"class":"A","args":[0x10]}`, "octal": `{"class":"A","args":[01]}`,
		"no fraction": `{"class":"A","args":[1.]}`, "plus": `{"class":"A","args":[+1]}`,
		"raw newline": "{\"class\":\"A\",\"args\":[\"a\nb\"]}", "zero byte": "{\"class\":\"A\"}\x00", "depth 101": deep(101),
		"depth 100, which the record makes 101": deep(100), "bad UTF-8": "{\"class\":\"A\",\"args\":[\"\xff\"]}",
		"surrogate as bytes": "{\"class\":\"A\",\"args\":[\"\xed\xa0\x80\"]}", "lone surrogate": `{"class":"A","args":["\ud800"]}`,
		"text": "not JSON <b>&", "array": "[1]", "nothing": "", "null": "null", "string": `"x"`, "comment": `{/**/"class":"A"}`,
		"cut off": `{"class":"A","args":[`, "bytes": "\x00\x01\xfe\xff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failure := resque.NewFailure(&resque.Payload{Raw: []byte(payload)}, errors.New("x"), moment)
			record := parseFailure(t, failure)
			assert.Contains(t, string(record.Payload), `{"class":"<unreadable>","args":[`)
			assert.Equal(t, payload, string(wire.RestorePayload(record.Payload)))
		})
	}
	for name, payload := range map[string]string{
		"depth 99": deep(99), "no class": `{}`, "class null": `{"class":null}`, "spaces": " {\n\"class\" : \"A\" }\t",
		"numbers": `{"class":"A","args":[1.50,1E3,12345678901234567890,-0]}`, "escapes": `{"class":"A","args":["\/\u00e9"]}`,
	} {
		t.Run(name+" is kept", func(t *testing.T) {
			t.Parallel()
			failure := resque.NewFailure(&resque.Payload{Raw: []byte(payload)}, errors.New("x"), moment)
			parseFailure(t, failure)
			assert.Contains(t, string(failure.AppendJSON(nil)), `"payload":`+payload+`,"exception"`)
		})
	}
}

type record struct {
	FailedAt  string          `json:"failed_at"`
	Payload   json.RawMessage `json:"payload"`
	Exception string          `json:"exception"`
	Error     string          `json:"error"`
	Backtrace []string        `json:"backtrace"`
	Worker    string          `json:"worker"`
	Queue     string          `json:"queue"`
}

func parseFailure(t *testing.T, f resque.Failure) record {
	t.Helper()
	var r record
	text := f.AppendJSON(nil)
	require.NoError(t, json.Unmarshal(text, &r), "%q", text)
	assert.NotNil(t, r.Backtrace, "Ruby joins it")
	require.NoError(t, rubyjson.Valid(text), "Ruby reads it")
	return r
}

func TestFailureHostileText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"\"},{", "\\", "\x00\x1f\x7f\u2028", "\xff\xfe", "</script>", "\ud7ff\U0010ffff", "a\nb\r\n"} {
		valid := strings.ToValidUTF8(text, "\uFFFD")
		failure := resque.NewFailure(
			&resque.Payload{Raw: []byte(`{"class":"A"}`), Worker: text, Queue: text},
			&rubyError{"E" + text, text}, moment)
		failure.Backtrace = []string{text, text}
		got := parseFailure(t, failure)
		assert.Equal(t, record{
			FailedAt: "2026/01/15 12:34:56 UTC", Payload: json.RawMessage(`{"class":"A"}`), Exception: "E" + valid,
			Error: valid, Backtrace: []string{valid, valid}, Worker: valid, Queue: valid,
		}, got, "%q", text)
	}
}

// brokenError is what a nil pointer of it does: it panics, whatever is asked.
type brokenError struct{ err error }

func (e *brokenError) Error() string         { return e.err.Error() }
func (e *brokenError) Unwrap() error         { return e.err }
func (e *brokenError) ExceptionName() string { return e.err.Error() }

func TestFailureException(t *testing.T) {
	t.Parallel()
	ruby := &rubyError{"Net::ReadTimeout", "x"}
	var broken *brokenError
	panicked := func(value any) error {
		return resque.Perform(t.Context(), resque.HandlerFunc(func(context.Context, *resque.Payload) error { panic(value) }), &resque.Payload{})
	}
	for _, c := range []struct {
		name string
		err  error
		want string
		says string
	}{
		{"named", ruby, "Net::ReadTimeout", "x"},
		{"named within", fmt.Errorf("a: %w", fmt.Errorf("b: %w", ruby)), "Net::ReadTimeout", "a: b: x"},
		{"named among others", errors.Join(errors.New("y"), ruby), "Net::ReadTimeout", "y\nx"},
		{"a name that is empty", &rubyError{message: "x"}, "resque_test.rubyError", "x"},
		{"plain", errors.New("x"), "errors.errorString", "x"},
		{"wrapped", fmt.Errorf("a: %w", &json.SyntaxError{}), "json.SyntaxError", "a: "},
		{"deadline", fmt.Errorf("a: %w", context.DeadlineExceeded), "context.deadlineExceededError", "a: context deadline exceeded"},
		{"timeout", &resque.TimeoutError{Class: "A", After: time.Second}, "Timeout::Error", "A: execution expired after 1s"},
		{"dead worker", &resque.DeadWorkerError{Worker: "w"}, "Resque::PruneDeadWorkerDirtyExit", "Worker w did not gracefully exit while processing <Unknown Job>"},
		{"panic", panicked("x"), "PanicError", "panic: x"},
		{"panic with a named error", panicked(ruby), "Net::ReadTimeout", "panic: x"},
		{"nil pointer as an error", broken, "resque_test.brokenError", "an error that cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := parseFailure(t, resque.NewFailure(&resque.Payload{Raw: []byte("{}")}, c.err, moment))
			assert.Equal(t, c.want, got.Exception)
			assert.Equal(t, c.says, got.Error)
		})
	}
}

func TestFailureBacktrace(t *testing.T) {
	t.Parallel()
	trace := func(t *testing.T, h func() error) []string {
		t.Helper()
		err := resque.Perform(t.Context(), resque.HandlerFunc(func(context.Context, *resque.Payload) error { return h() }), &resque.Payload{})
		frames := resque.NewFailure(&resque.Payload{}, err, moment).Backtrace
		for _, frame := range frames {
			assert.Regexp(t, "^\\S+\\.(go|s):\\d+:in `\\S+'$", frame)
		}
		return frames
	}
	var nowhere *record
	assert.Empty(t, trace(t, func() error { return errors.New("x") }))
	for name, h := range map[string]func() error{
		"panic":       func() error { panic("x") },
		"nil pointer": func() error { return errors.New(nowhere.Error) },
		"repanic": func() error {
			defer func() { panic(recover()) }()
			panic("x")
		},
	} {
		frames := trace(t, h)
		require.NotEmpty(t, frames, name)
		assert.Regexp(t, "/resque/failure_test.go:\\d+:in `.*TestFailureBacktrace.func", frames[0], name)
	}
	t.Run("of a deep recursion", func(t *testing.T) {
		t.Parallel()
		var sink func(n int) error
		sink = func(n int) error {
			if n == 0 {
				panic("x")
			}
			return sink(n - 1)
		}
		assert.Greater(t, len(trace(t, func() error { return sink(1000) })), 90)
	})
}

func TestFailureBacktraceBeginsInTheApplication(t *testing.T) {
	t.Parallel()
	within := "github.com/goresque/goresque/resque_test.TestFailureBacktraceBeginsInTheApplication."
	mux := resque.NewMux()
	mux.HandleFunc("A", func(context.Context, *resque.Payload) error {
		slices.SortFunc([]int{2, 1}, func(int, int) int { panic("x") })
		return nil
	})
	err := resque.Perform(t.Context(), mux, &resque.Payload{Class: "A"})
	frames := resque.NewFailure(&resque.Payload{}, err, moment).Backtrace
	require.GreaterOrEqual(t, len(frames), 3)
	assert.Contains(t, frames[0], within)
	assert.Contains(t, frames[1], within)
	assert.Contains(t, frames[2], "slices.")
	for _, frame := range frames {
		assert.NotContains(t, frame, "goresque/resque.", "neither ours nor what called us")
		assert.NotContains(t, frame, "testing.tRunner")
	}
}

// What the compiler inlines has the name of the function that it is inlined into.
func TestFailureBacktraceLeavesOutWhatIsInlined(t *testing.T) {
	t.Parallel()
	pass := resque.HandlerFunc(func(context.Context, *resque.Payload) error { return nil })
	mux := resque.NewMux()
	mux.Handle(resque.Define0("A", "q").Handler(func(context.Context) error { panic("x") }).
		Use(resque.BeforePerform(pass), resque.AfterPerform(pass)))
	err := resque.Perform(t.Context(), mux, &resque.Payload{Class: "A"})
	frames := resque.NewFailure(&resque.Payload{}, err, moment).Backtrace
	require.Len(t, frames, 1)
	assert.Contains(t, frames[0], "/resque/failure_test.go:")
}

// A program that was built with -trimpath has other paths.
func TestFailureBacktraceOfTrimmedPaths(t *testing.T) {
	t.Parallel()
	stack := strings.Join([]string{
		"goroutine 7 [running]:",
		"runtime/debug.Stack()", "\truntime/debug/stack.go:26 +0x5e",
		"panic({0x1?, 0x2?})", "\truntime/panic.go:792 +0x132",
		"strings.Repeat({0x1?, 0x2?}, 0x3?)", "\tstrings/strings.go:624 +0x5ba",
		"encoding/json.(*decodeState).object(0x1)", "\tencoding/json/decode.go:1 +0x1",
		"example.com/shop/jobs.Export({0x1, 0x2})", "\texample.com/shop@v1.2.3/jobs/export.go:12 +0x2a",
		"main.run(...)", "\t./main.go:9",
		"main.run.Definition1[...].Perform.func2({0x1, 0x2})", "\tgithub.com/goresque/goresque@v1/resque/define.go:12 +0x2a",
		"main.run.Definition1[...].Perform.func3({0x1, 0x2})", "\tgithub.com/goresque/goresque@v1/resque/activejob/define_n.go:12 +0x2a",
		"github.com/goresque/goresque/resque.HandlerFunc.Perform(0x1)", "\tgithub.com/goresque/goresque@v1/resque/mux.go:27 +0x1",
		"github.com/goresque/goresque/resque.Perform({0x1})", "\tgithub.com/goresque/goresque@v1/resque/perform.go:34 +0x1",
		"main.main()", "\t./main.go:5 +0x1",
	}, "\n")
	err := &resque.PanicError{Value: "x", Stack: []byte(stack)}
	assert.Equal(t, []string{
		"example.com/shop@v1.2.3/jobs/export.go:12:in `example.com/shop/jobs.Export'",
		"./main.go:9:in `main.run'",
		"strings/strings.go:624:in `strings.Repeat'",
		"encoding/json/decode.go:1:in `encoding/json.(*decodeState).object'",
	}, resque.NewFailure(&resque.Payload{}, err, moment).Backtrace)
	for _, odd := range []string{"", "goroutine 1", "x", "x\ny\nz", "...1 frames elided..."} {
		err.Stack = []byte(odd)
		assert.NotNil(t, resque.NewFailure(&resque.Payload{}, err, moment).Backtrace, "%q", odd)
	}
}

func FuzzFailure(f *testing.F) {
	f.Add([]byte(`{"class":"A","args":[1]}`), "boom", "exports")
	f.Add([]byte("\xff\x00"), "\xff", "\"")
	f.Add([]byte(deep(100)), "", "")
	f.Add([]byte(`{"class":"<unreadable>","args":["x"]}`), "", "")
	f.Fuzz(func(t *testing.T, payload []byte, text, queue string) {
		job := &resque.Payload{Raw: payload, Queue: queue, Worker: text}
		failure := resque.NewFailure(job, &rubyError{text, text}, moment)
		failure.Backtrace = []string{text}
		got := parseFailure(t, failure)
		wrapped := append(append([]byte("["), payload...), ']')
		if rubyjson.Valid(payload) == nil && rubyjson.Valid(wrapped) == nil && bytes.HasPrefix(bytes.TrimSpace(payload), []byte("{")) {
			assert.Contains(t, string(failure.AppendJSON(nil)), `"payload":`+string(payload)+`,"exception":`)
		} else {
			assert.Equal(t, string(payload), string(wire.RestorePayload(got.Payload)))
		}
	})
}
