package worker_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// refusals are configurations that New refuses, and its errors.
func refusals() map[string]worker.Config {
	const negative = -time.Second
	q := []string{"a"}
	return map[string]worker.Config{
		"give each worker at least one queue":   {},
		"worker: give each worker at least one": {Queues: []string{" ", "!a"}},
		`queue "a,b" contains a comma`:          {Queues: []string{"a,b"}},
		`queue "!a,b" contains a comma`:         {Queues: []string{"a", "!a,b"}},
		`queue "a[bc" has a [ without a ]`:      {Queues: []string{"a[bc"}},
		`queue "!x[a-" has a [ without a ]`:     {Queues: []string{"a", "!x[a-"}},
		`queue "a\xff" is not valid UTF-8`:      {Queues: []string{"a\xff"}},
		`the queue name after "!" is missing`:   {Queues: []string{"a", "!"}},

		"Concurrency is -1; it must not be negative":         {Queues: q, Concurrency: -1},
		"CrashLimit is -1; it must not be negative":          {Queues: q, CrashLimit: -1},
		"JobsPerChild is -1; it must not be negative":        {Queues: q, JobsPerChild: -1},
		"PollInterval is -1s; it must not be negative":       {Queues: q, PollInterval: negative},
		"HeartbeatInterval is 1ns; it must be at least 10ms": {Queues: q, HeartbeatInterval: 1},
		"MinPollInterval is -1s; it must not be negative":    {Queues: q, MinPollInterval: negative},
		"MaxPollInterval is -1s; it must not be negative":    {Queues: q, MaxPollInterval: negative},
		"PollBackoff is -1s; it must not be negative":        {Queues: q, PollBackoff: negative},
		"HeartbeatInterval is -1s; it must not be negative":  {Queues: q, HeartbeatInterval: negative},
		"PruneAfter is -1s; it must not be negative":         {Queues: q, PruneAfter: negative},
		"worker: Timeout is -1s; it must not be negative":    {Queues: q, Timeout: negative},
		"StopTimeout is -1s; it must not be negative":        {Queues: q, StopTimeout: negative},
		"StopGrace is -1s; it must not be negative":          {Queues: q, StopGrace: negative},
		"ChildLifetime is -1s; it must not be negative":      {Queues: q, ChildLifetime: negative},

		"HeartbeatInterval is 1m0s; it must be shorter than PruneAfter, which is 1m0s": {Queues: q, PruneAfter: time.Minute},
		"HeartbeatInterval is 5m0s; it must be shorter than PruneAfter, which is 5m0s": {Queues: q, HeartbeatInterval: 5 * time.Minute},

		"OnCrash is 2, which is not one of its constants":       {Queues: q, OnCrash: 2},
		"OnCrash is -1, which is not one of its constants":      {Queues: q, OnCrash: -1},
		"OnShutdown is 2, which is not one of its constants":    {Queues: q, OnShutdown: 2},
		"UnknownClass is 2, which is not one of its constants":  {Queues: q, UnknownClass: 2},
		"FailureLists is 8, which is not made of its constants": {Queues: q, FailureLists: 8},
		"FailureLists combines FailuresNowhere with lists":      {Queues: q, FailureLists: resque.FailuresNowhere | resque.FailuresByQueue},

		"FailureBackends[0] is nil": {Queues: q, FailureBackends: []resque.FailureBackend{nil}},
		"FailureBackends[1] is nil": {Queues: q, FailureBackends: []resque.FailureBackend{countingBackend{}, resque.FailureBackendFunc(nil)}},

		"StopGrace has no effect without StopTimeout or ForkPerJob":            {Queues: q, StopGrace: time.Second},
		"GracefulTerm has no effect without StopTimeout or KillChildren":       {Queues: q, GracefulTerm: true},
		"KillChildren has no effect without ForkPerJob":                        {Queues: q, KillChildren: true},
		"JobsPerChild has no effect without ForkPerJob":                        {Queues: q, JobsPerChild: 2},
		"ChildLifetime has no effect without ForkPerJob":                       {Queues: q, ChildLifetime: time.Hour},
		"StopTimeout has no effect with KillChildren":                          {Queues: q, ForkPerJob: true, KillChildren: true, StopTimeout: time.Second},
		"CrashLimit has no effect without OnCrash: RequeueCrashed":             {Queues: q, CrashLimit: 3},
		"PollBackoff has no effect without MinPollInterval or MaxPollInterval": {Queues: q, PollBackoff: time.Second},
	}
}

type countingBackend struct{ resque.FailureBackend }

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	for want, cfg := range refusals() {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			w, err := worker.New(client, resque.NewMux(), cfg)
			assert.Nil(t, w)
			require.ErrorContains(t, err, want)
			assert.Equal(t, 1, strings.Count(err.Error(), "worker: "), "one mistake, one error: %v", err)
		})
	}
}

func TestNewRefusesNilArguments(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	cfg := worker.Config{Queues: []string{"a"}}
	for name, handler := range map[string]resque.Handler{"nil": nil, "*Mux": (*resque.Mux)(nil), "HandlerFunc": resque.HandlerFunc(nil)} {
		_, err := worker.New(client, handler, cfg)
		require.ErrorContains(t, err, "worker: a worker needs a handler", name)
	}
	_, err := worker.New(nil, resque.NewMux(), cfg)
	require.ErrorContains(t, err, "worker: a worker needs a client")
	assert.PanicsWithValue(t, "worker: AfterFork needs a hook, not nil", func() { worker.AfterFork(nil) })
}

func TestNewReportsAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := worker.New(nil, nil, worker.Config{
		Queues: []string{"a,b", "c["}, Concurrency: -1, OnCrash: 7, GracefulTerm: true, Timeout: -1,
		FailureBackends: []resque.FailureBackend{nil},
	})
	for _, want := range []string{"a client", "a handler", `"a,b"`, `"c["`, "Concurrency", "OnCrash", "GracefulTerm", "Timeout", "FailureBackends[0]"} {
		assert.ErrorContains(t, err, want)
	}
	_, err = worker.New(nil, nil, worker.Config{})
	require.ErrorIs(t, err, worker.ErrNoQueues)
}

func TestNewAcceptsWhatWorks(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	for i, cfg := range []worker.Config{
		{Queues: []string{"*", "!slow_*"}},
		{Queues: []string{"a[bc]", `a\[b`, "[]]", "x[!a-c]y", " spaces "}},
		{StopTimeout: time.Second, StopGrace: time.Second, GracefulTerm: true},
		{ForkPerJob: true, StopGrace: time.Second, JobsPerChild: 2, ChildLifetime: time.Hour},
		{ForkPerJob: true, KillChildren: true, GracefulTerm: true},
		{ForkPerJob: true, StopTimeout: time.Second},
		{OnCrash: worker.RequeueCrashed, CrashLimit: 1, OnShutdown: worker.RequeueInterrupted, UnknownClass: worker.PutBackUnknown},
		{MaxPollInterval: time.Minute, PollBackoff: time.Second, MaxWaiting: -1},
		{FailureLists: resque.FailuresTogether | resque.FailuresByQueue},
		{FailureLists: resque.FailuresNowhere},
	} {
		if cfg.Queues == nil {
			cfg.Queues = []string{"a"}
		}
		if cfg.ForkPerJob && runtime.GOOS == "windows" {
			continue
		}
		_, err := worker.New(client, resque.NewMux(), cfg)
		require.NoError(t, err, i)
	}
}
