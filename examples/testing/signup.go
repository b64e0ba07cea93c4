// Package testing is the program that docs/testing.md tests.
package testing

import (
	"context"
	"time"

	"github.com/goresque/goresque/resque"
)

// The jobs of the shop.
var (
	Welcome  = resque.Define1[string]("Welcome", "mail")
	Reminder = resque.Define1[string]("Reminder", "mail")
	Nightly  = resque.Define0("Nightly", "night", resque.Timeout(time.Hour))
)

// signUp enqueues a mail for now and one for tomorrow.
func signUp(ctx context.Context, client *resque.Client, address string) error {
	if _, err := client.Enqueue(ctx, Welcome.Job(address)); err != nil {
		return err
	}
	_, err := client.Enqueue(ctx, Reminder.Job(address).In(24*time.Hour))
	return err
}

// jobs returns the functions that perform the jobs.
func jobs() *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(Welcome.Handler(send))
	mux.Handle(Reminder.Handler(send))
	mux.Handle(Nightly.Handler(func(ctx context.Context) error {
		<-ctx.Done() // it takes too long
		return ctx.Err()
	}))
	return mux
}

func send(_ context.Context, _ string) error { return nil }
