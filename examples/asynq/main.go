// Command asynq performs a job that has moved from asynq. docs/from-asynq.md shows it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/resque/unique"
)

type Welcome struct {
	UserID int64 `json:"user_id"`
}

var WelcomeMail = resque.Define1[Welcome]("WelcomeMail", "mail",
	retry.Policy{Limit: 5, Delay: retry.Exponential, Record: retry.LastOnly},
	unique.Policy{For: time.Hour},
	resque.Timeout(30*time.Second),
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "welcome" {
		if err := welcome(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(cli.Main(cli.App{Mux: jobs}))
}

func jobs(context.Context, *resque.Client) (*resque.Mux, error) {
	mux := resque.NewMux()
	mux.Handle(WelcomeMail.Handler(sendWelcome))
	return mux, nil
}

func sendWelcome(ctx context.Context, w Welcome) error {
	if w.UserID == 0 {
		return resque.Discard(errors.New("no user")) // asynq.SkipRetry
	}
	fmt.Println("Go welcomes", w.UserID)
	return nil
}

// welcome is what a web server does.
func welcome(ctx context.Context, user string) error {
	id, err := strconv.ParseInt(user, 10, 64)
	if err != nil {
		return fmt.Errorf("user: %w", err)
	}
	rdb, err := resque.Open(resque.RedisConfig{URL: os.Getenv("REDIS_URL")})
	if err != nil {
		return err
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	receipt, err := client.Enqueue(ctx, WelcomeMail.Job(Welcome{id}).In(10*time.Minute))
	if err != nil {
		return err
	}
	if receipt.State == resque.Duplicate {
		fmt.Println("the mail is already waiting")
	}
	return nil
}
