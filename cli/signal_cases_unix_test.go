//go:build unix

package cli_test

import (
	"maps"
	"testing"

	"github.com/goresque/goresque/internal/golden"
)

// signalCases are Ruby's recorded cases and ours. Ruby's default is a process per
// job, ours is not.
func signalCases(t *testing.T) []golden.SignalCase {
	t.Helper()
	cases := golden.Signals(t)
	for i, c := range cases {
		c.Env = maps.Clone(c.Env)
		if c.Env["FORK_PER_JOB"] == "" {
			c.Env["FORK_PER_JOB"] = "true"
		}
		if c.Case == "TERM, no fork, TERM_CHILD, stubborn" { // Ruby waits forever in this case
			c.SecondsToExit, c.Log = 4, []string{"start 6"}
			c.Failed = []golden.SignalFailure{{Exception: "Resque::DirtyExit", Error: "Job still being processed", Class: "Stubborn"}}
		}
		cases[i] = c
	}
	return append(cases, ourSignalCases()...)
}

// ourSignalCases are cases that are not recorded from Ruby, or in which Ruby does
// nothing.
func ourSignalCases() []golden.SignalCase {
	term := map[string]string{"TERM_CHILD": "1"}
	rescued := []string{"start 3", "rescued Resque::TermException SIGTERM"}
	exception := []golden.SignalFailure{{Exception: "Resque::TermException", Error: "SIGTERM", Class: "Polite"}}
	cutOff := []golden.SignalFailure{{Exception: "Resque::DirtyExit", Error: "Job still being processed", Class: "Stubborn"}}
	return []golden.SignalCase{
		{
			Case: "ours: INT", Job: "Polite", JobSeconds: 2, Signals: []any{"INT"}, SecondsToExit: 1.7,
			Log: []string{"start 2", "done"}, LeftInQueue: 1, Processed: 1,
		},
		{
			Case: "ours: INT, TERM_CHILD", Env: term, Job: "Polite", JobSeconds: 3, Signals: []any{"INT"},
			Log: rescued, Failed: exception, LeftInQueue: 1, Processed: 1, FailedCount: 1,
		},
		{
			Case: "ours: TERM, GRACEFUL_TERM, TERM_CHILD", Env: map[string]string{"TERM_CHILD": "1", "GRACEFUL_TERM": "1"},
			Job: "Polite", JobSeconds: 2, Signals: []any{"TERM"}, SecondsToExit: 1.7,
			Log: []string{"start 2", "done"}, LeftInQueue: 1, Processed: 1,
		},
		{
			Case: "ours: RESQUE_PRE_SHUTDOWN_TIMEOUT=1", Env: map[string]string{"TERM_CHILD": "1", "RESQUE_PRE_SHUTDOWN_TIMEOUT": "1"},
			Job: "Polite", JobSeconds: 3, Signals: []any{"TERM"}, SecondsToExit: 1,
			Log: rescued, Failed: exception, LeftInQueue: 1, Processed: 1, FailedCount: 1,
		},
		{
			Case: "ours: RESQUE_TERM_TIMEOUT=1", Env: map[string]string{"TERM_CHILD": "1", "RESQUE_TERM_TIMEOUT": "1"},
			Job: "Stubborn", JobSeconds: 6, Signals: []any{"TERM"}, SecondsToExit: 1,
			Log: []string{"start 6"}, Failed: cutOff, LeftInQueue: 1, Processed: 1,
		},
		{
			Case: "ours: a second TERM changes nothing", Env: map[string]string{"TERM_CHILD": "1", "RESQUE_TERM_TIMEOUT": "2"},
			Job: "Stubborn", JobSeconds: 6, Signals: []any{"TERM", 0.1, "TERM", 0.5, "TERM"}, SecondsToExit: 2,
			Log: []string{"start 6"}, Failed: cutOff, LeftInQueue: 1, Processed: 1,
		},
		{
			Case: "ours: a second INT", Job: "Stubborn", JobSeconds: 6, Signals: []any{"INT", 0.5, "INT"}, SecondsToExit: 0.5,
			Log: []string{"start 6"}, Failed: cutOff, LeftInQueue: 1, Processed: 1,
		},
		{
			Case: "ours: QUIT, then TERM", Env: term, Job: "Polite", JobSeconds: 3, Signals: []any{"QUIT", 0.5, "TERM"}, SecondsToExit: 0.5,
			Log: rescued, Failed: exception, LeftInQueue: 1, Processed: 1, FailedCount: 1,
		},
		{
			Case: "ours: USR1, then continues", Job: "Polite", JobSeconds: 3, Signals: []any{"USR1", 1.5, "QUIT"}, SecondsToExit: 1.5,
			Log: append(rescued, "start 0.1", "done"), Failed: exception, Processed: 2, FailedCount: 1,
		},
		{
			Case: "ours: USR1, stubborn", Job: "Stubborn", JobSeconds: 2, Signals: []any{"USR1", 0.5, "QUIT"}, SecondsToExit: 1.7,
			Log: []string{"start 2", "done"}, LeftInQueue: 1, Processed: 1,
		},
		{
			Case: "ours: USR2 pauses after the job, CONT resumes", Job: "Polite", JobSeconds: 1,
			Signals: []any{"USR2", 2.5, "CONT", 1.5, "QUIT"}, SecondsToExit: 4,
			Log: []string{"start 1", "done", "start 0.1", "done"}, LogAfterPause: []string{"start 1", "done"}, Processed: 2,
		},
		{
			Case: "ours: KILL", Job: "Polite", JobSeconds: 2, Signals: []any{"KILL"}, TermSignal: 9,
			Log: []string{"start 2"}, LeftInQueue: 1, WorkersLeft: 1,
		},
		{
			Case: "ours: TERM requeues", Env: map[string]string{"TERM_CHILD": "1", "RESQUE_ON_SHUTDOWN": "requeue"}, Job: "Polite", JobSeconds: 3,
			Signals: []any{"TERM"}, Log: rescued, LeftInQueue: 2,
		},
		{
			Case: "ours: TERM requeues a stubborn job", Env: map[string]string{"TERM_CHILD": "1", "RESQUE_ON_SHUTDOWN": "requeue", "RESQUE_TERM_TIMEOUT": "1"},
			Job: "Stubborn", JobSeconds: 6, Signals: []any{"TERM"}, SecondsToExit: 1, Log: []string{"start 6"}, LeftInQueue: 2,
		},
		{
			Case: "ours: TERM requeues, a process per job", Env: map[string]string{"FORK_PER_JOB": "true", "RESQUE_ON_SHUTDOWN": "requeue"}, Job: "Polite", JobSeconds: 3,
			Signals: []any{"TERM"}, Log: []string{"start 3"}, LeftInQueue: 2,
		},
		{
			Case: "ours: TERM_CHILD requeues, a process per job", Env: map[string]string{"FORK_PER_JOB": "true", "TERM_CHILD": "1", "RESQUE_ON_SHUTDOWN": "requeue"},
			Job: "Polite", JobSeconds: 3, Signals: []any{"TERM"}, Log: rescued, LeftInQueue: 2,
		},
		{
			Case: "ours: a second INT, a process per job", Env: map[string]string{"FORK_PER_JOB": "true", "TERM_CHILD": "1"}, Job: "Stubborn", JobSeconds: 6,
			Signals: []any{"INT", 0.5, "INT"}, SecondsToExit: 0.5, Log: []string{"start 6"}, LeftInQueue: 1, Processed: 1,
			Failed: []golden.SignalFailure{{Exception: "Resque::DirtyExit", Error: "Child process received unhandled signal pid {PID} SIGKILL (signal 9)", Class: "Stubborn"}},
		},
	}
}
