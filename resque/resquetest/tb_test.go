package resquetest_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/resquetest"
)

// The jobs of these tests.
var (
	Exporter = resque.Define1[int64]("Exporter", "exports")
	Mailer   = resque.Define2[string, Letter]("Mailer", "mail")
	Nightly  = resque.Define0("Nightly", "nightly")
	RailsJob = activejob.Define2[int64, Letter]("LetterJob", "rails")
)

type Letter struct {
	To   string  `json:"to"`
	Size float64 `json:"size"`
}

var _ resquetest.TB = testing.TB(nil)

// fake is a TB that records errors and logs.
type fake struct {
	ctx context.Context

	mu       sync.Mutex
	cleanups []func()
	logs     []string
	errors   []string
	stopped  bool // FailNow was called
}

var _ resquetest.TB = (*fake)(nil)

func (f *fake) Helper() {}

func (f *fake) Context() context.Context { return f.ctx }

func (f *fake) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }

func (f *fake) Logf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logs = append(f.logs, fmt.Sprintf(format, args...))
}

func (f *fake) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

func (f *fake) FailNow() {
	f.stopped = true
	runtime.Goexit()
}

func (f *fake) text() string { return strings.Join(f.errors, "\n") }

// run runs a test with its cleanups, as package testing does.
func run(t *testing.T, test func(t *fake)) *fake {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	f := &fake{ctx: ctx}
	over := make(chan struct{})
	go func() {
		defer close(over)
		test(f)
	}()
	<-over
	cancel()
	for _, cleanup := range slices.Backward(f.cleanups) {
		cleanup()
	}
	return f
}

// requireFails requires that a test fails with message, and that it is stopped if stops
// is set.
func requireFails(t *testing.T, stops bool, message string, test func(t *fake)) {
	t.Helper()
	goesOn := false
	f := run(t, func(t *fake) {
		test(t)
		goesOn = true
	})
	require.Equal(t, []string{message}, f.errors)
	assert.Equal(t, []bool{stops, !stops}, []bool{f.stopped, goesOn})
}

func enqueue(t *testing.T, client *resque.Client, jobs ...resque.Job) {
	t.Helper()
	receipts, err := client.EnqueueAll(t.Context(), jobs)
	require.NoError(t, err)
	require.Len(t, jobs, receipts.Enqueued())
}
