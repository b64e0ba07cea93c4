// Package resquetest helps to test programs that enqueue or perform jobs: a Redis
// for each test, what is in the queues, and the jobs performed.
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
// Helpers named Require end the test where what they require is not so, and those
// named Assert mark it as failed and return false, as testify's do; either says
// what is there instead. docs/testing.md says when to use which, and when inline
// mode does better.
//
// A job is named by a definition of package resque or activejob and arguments, in
// the order of its Job, or by a resque.Job. A definition alone means its class
// with any arguments. Arguments are the same where they are the same JSON: 1 is
// 1.0, and the order in an object does not count. Of a job of Rails, the class and
// the arguments inside count, and not its id or its times.
package resquetest

import "context"

// TB is what the helpers need of a test. Every testing.TB has it.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	FailNow()
}
