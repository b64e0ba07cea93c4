package resquetest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/resquetest"
	"github.com/goresque/goresque/worker"
)

// Welcome and Reminder are jobs of the program under test.
var (
	Welcome  = resque.Define1[string]("Welcome", "mail")
	Reminder = resque.Define2[string, int]("Reminder", "mail")
)

// signUp is the function under test.
func signUp(ctx context.Context, client *resque.Client, address string) error {
	_, err := client.Enqueue(ctx, Welcome.Job(address))
	return err
}

// jobs returns a mux that performs them.
func jobs(client *resque.Client) *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(Welcome.Handler(func(ctx context.Context, address string) error {
		if address == "" {
			return errors.New("no address")
		}
		fmt.Println("welcome,", address)
		_, err := client.Enqueue(ctx, Reminder.Job(address, 7))
		return err
	}))
	mux.Handle(Reminder.Handler(func(_ context.Context, address string, days int) error {
		fmt.Println("still there after", days, "days,", address, "?")
		return nil
	}))
	return mux
}

// A test checks which jobs were queued, and performs them. In your tests t is a
// *testing.T.
func Example() {
	t := newTest()
	defer t.end()

	client := resquetest.New(t)
	if err := signUp(t.Context(), client, "ann@example.com"); err != nil {
		t.Errorf("%v", err)
	}
	resquetest.RequireEnqueued(t, client, Welcome, "ann@example.com")
	resquetest.RequireNotEnqueued(t, client, Reminder)
	if err := resquetest.PerformAll(t, client, jobs(client)); err != nil {
		t.Errorf("%v", err)
	}
	fmt.Println(len(resquetest.Jobs(t, client)), "jobs are left")
	// Output:
	// welcome, ann@example.com
	// still there after 7 days, ann@example.com ?
	// 0 jobs are left
}

// The message lists the jobs that are waiting.
func ExampleAssertEnqueued() {
	t := newTest()
	defer t.end()

	client := resquetest.New(t)
	_, err := client.EnqueueAll(t.Context(), []resque.Job{Welcome.Job("ann@example.com"), Reminder.Job("bob@example.com", 7)})
	fmt.Println(err)
	resquetest.AssertEnqueued(t, client, Welcome, "bob@example.com")
	// Output:
	// <nil>
	// Welcome ["bob@example.com"] is not waiting on queue "mail". Waiting jobs:
	//     mail: Welcome ["ann@example.com"]  ← other arguments
	//     mail: Reminder ["bob@example.com", 7]
}

// Rails jobs are found by the class and arguments inside their wrapper.
func ExampleEnqueued() {
	t := newTest()
	defer t.end()

	client := resquetest.New(t)
	export := activejob.Define1[int64]("ExportJob", "exports")
	_, err := client.EnqueueAll(t.Context(), []resque.Job{export.Job(41), export.Job(42)})
	fmt.Println(err)
	resquetest.RequireEnqueued(t, client, export, 42)
	for _, job := range resquetest.Enqueued(t, client, export) {
		data, _ := activejob.DataOf(job)
		fmt.Println(job.Class, activejob.Values(job), data.Queue)
	}
	// Output:
	// <nil>
	// ExportJob [41] exports
	// ExportJob [42] exports
}

// The error has the errors of the jobs that failed.
func ExamplePerformAll() {
	t := newTest()
	defer t.end()

	client := resquetest.New(t)
	fmt.Println(signUp(t.Context(), client, ""))
	err := resquetest.PerformAll(t, client, jobs(client))
	fmt.Println(err)
	var failed *resquetest.JobError
	fmt.Println(errors.As(err, &failed), failed.Job.Class, failed.Failure.Exception)
	// Output:
	// <nil>
	// mail: Welcome [""]: no address
	// true Welcome errors.errorString
}

// A test can require a failure and look at its record.
func ExampleRequireFailed() {
	t := newTest()
	defer t.end()

	client := resquetest.New(t)
	fmt.Println(signUp(t.Context(), client, ""))
	_ = resquetest.PerformAll(t, client, jobs(client)) // the failure is checked below
	fmt.Println(resquetest.RequireFailed(t, client, Welcome, "").Error)
	resquetest.AssertNoFailures(t, client)
	// Output:
	// <nil>
	// no address
	// No job should have failed. Failures:
	//     mail: Welcome [""]: errors.errorString: no address
}

// RunUntilIdle runs a worker as in production, until there is nothing to do.
func ExampleRunUntilIdle() {
	t := newTest()
	defer t.end()

	client := resquetest.New(t)
	fmt.Println(signUp(t.Context(), client, "ann@example.com"))
	err := resquetest.RunUntilIdle(t, client, jobs(client), worker.Config{Queues: []string{"mail"}, Concurrency: 4})
	fmt.Println(err)
	// Output:
	// <nil>
	// welcome, ann@example.com
	// still there after 7 days, ann@example.com ?
	// <nil>
}

// printed is a TB that prints its errors, because examples have no testing.T.
type printed struct{ cleanups []func() }

func newTest() *printed { return &printed{} }

func (t *printed) end() {
	for _, cleanup := range t.cleanups {
		defer cleanup() // the last one first
	}
}

func (*printed) Helper()                           {}
func (*printed) Context() context.Context          { return context.Background() }
func (*printed) Logf(string, ...any)               {}
func (t *printed) Cleanup(fn func())               { t.cleanups = append(t.cleanups, fn) }
func (*printed) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (*printed) FailNow()                          { panic("the test ends here") }
