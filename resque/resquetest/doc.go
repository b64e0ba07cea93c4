// Package resquetest helps to test programs that enqueue or perform jobs. It provides a
// Redis for each test, checks which jobs are queued or have failed, and performs jobs.
//
//	func TestSignUp(t *testing.T) {
//		t.Parallel()
//		client := resquetest.New(t)
//		signUp(t.Context(), client, "ann@example.com")
//
//		resquetest.RequireEnqueued(t, client, Welcome, "ann@example.com")
//		require.NoError(t, resquetest.PerformAll(t, client, jobs(client)))
//		resquetest.RequireNotEnqueued(t, client, Reminder)
//	}
//
// As in testify, helpers whose names begin with Require stop a test that fails, and those
// whose names begin with Assert return false. The message lists the jobs that are there
// instead. docs/testing.md explains which helper to use when, and when to use inline mode.
//
// The helpers take a job as a definition of package resque or activejob and its
// arguments, or as a resque.Job. A definition without arguments means its class with any
// arguments. Arguments are compared as JSON values: 1 equals 1.0, and the order of an
// object's members does not matter. Of a Rails job, the class and the arguments of the
// job inside are compared, not its id or its times.
package resquetest

import "context"

// TB has the methods of testing.TB that the helpers use.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	FailNow()
}
