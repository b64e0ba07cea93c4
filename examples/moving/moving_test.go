// Package moving contains the Go code of docs/from-asynq.md.
package moving

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/resque/scheduler"
	"github.com/goresque/goresque/resque/unique"
	"github.com/goresque/goresque/worker"
)

// Welcome is the argument of a mail.
type Welcome struct {
	UserID int64 `json:"user_id"`
}

var WelcomeMail = resque.Define1[Welcome]("WelcomeMail", "mail",
	retry.Policy{Limit: 5, Delay: retry.Exponential},
	unique.Policy{For: time.Hour},
	resque.Timeout(30*time.Second),
)

func enqueueWelcome(ctx context.Context, client *resque.Client, userID int64) error {
	receipt, err := client.Enqueue(ctx, WelcomeMail.Job(Welcome{userID}).In(10*time.Minute))
	if err == nil && receipt.State == resque.Duplicate {
		slog.Info("the mail is already waiting")
	}
	return err
}

func sendWelcome(ctx context.Context, w Welcome) error {
	if w.UserID == 0 {
		return resque.Discard(errors.New("no user")) // asynq.SkipRetry
	}
	fmt.Println("welcome,", w.UserID)
	return nil
}

func runMail(ctx context.Context, client *resque.Client) error {
	mux := resque.NewMux()
	mux.Handle(WelcomeMail.Handler(sendWelcome))
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"critical", "mail"}, Concurrency: 10})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

func runSchedule(ctx context.Context, client *resque.Client) error {
	s, err := scheduler.New(client, scheduler.Config{Entries: []scheduler.Entry{
		{Name: "digest", Cron: "0 7 * * *", Job: WelcomeMail.Job(Welcome{1})},
	}})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

func open(t *testing.T) *resque.Client {
	t.Helper()
	server, err := embedded.Start("")
	require.NoError(t, err)
	t.Cleanup(server.Close)
	rdb, err := resque.Open(resque.RedisConfig{URL: server.URL()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = rdb.Close() })
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	return client
}

// until runs run until done reports true.
func until(t *testing.T, run func(ctx context.Context) error, done func() bool) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	require.Eventually(t, done, time.Minute, 10*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
}

func processed(t *testing.T, client *resque.Client) int64 {
	t.Helper()
	info, err := client.Info(t.Context())
	require.NoError(t, err)
	return info.Processed
}

func TestFromAsynq(t *testing.T) {
	t.Parallel()
	client := open(t)
	require.NoError(t, enqueueWelcome(t.Context(), client, 7))
	require.NoError(t, enqueueWelcome(t.Context(), client, 7), "a duplicate is not an error")
	at, err := client.ScheduledAt(t.Context(), WelcomeMail.Job(Welcome{7}))
	require.NoError(t, err)
	assert.Len(t, at, 1)
	_, err = client.EnqueueDelayed(t.Context(), WelcomeMail.Job(Welcome{7}))
	require.NoError(t, err)
	_, err = client.Enqueue(t.Context(), WelcomeMail.Job(Welcome{}))
	require.NoError(t, err)
	until(t, func(ctx context.Context) error { return runMail(ctx, client) },
		func() bool { return processed(t, client) == 2 })
	failed, err := client.Failures().Count(t.Context(), resque.FailureFilter{})
	require.NoError(t, err)
	assert.EqualValues(t, 1, failed, "the discarded job")
	until(t, func(ctx context.Context) error { return runSchedule(ctx, client) }, func() bool {
		s, err := scheduler.Schedules(t.Context(), client)
		return err == nil && len(s) == 1
	})
}
