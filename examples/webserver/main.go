// Command webserver is a web server that also runs a worker, so that there is only one
// process to deploy.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// Ruby: module Mailer; @queue = :mail; def self.perform(address).
var mailer = resque.Define1[string]("Mailer", "mail")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, getenv func(string) string) error {
	rdb, err := resque.Open(resque.RedisConfig{URL: getenv("REDIS_URL")})
	if err != nil {
		return err
	}
	defer rdb.Close()
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}

	mux := resque.NewMux()
	mux.Handle(mailer.Handler(func(_ context.Context, address string) error {
		log.Printf("mail to %s sent", address)
		return nil
	}))
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"mail"}, Concurrency: 5})
	if err != nil {
		return err
	}

	server := &http.Server{
		Addr:              cmp.Or(getenv("ADDR"), "127.0.0.1:8080"),
		Handler:           signUp(client),
		ReadHeaderTimeout: 5 * time.Second,
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	serving := make(chan error, 1)
	go func() {
		defer stop() // stop the worker if the server fails
		serving <- server.ListenAndServe()
	}()

	err = w.Run(ctx) // returns after a signal, when the running jobs have finished
	if closing := server.Shutdown(context.WithoutCancel(ctx)); closing != nil {
		err = errors.Join(err, fmt.Errorf("stopping the server: %w", closing))
	}
	if served := <-serving; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// signUp returns a handler that enqueues a mail and answers at once. The worker sends
// the mail.
func signUp(client *resque.Client) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /signup", func(w http.ResponseWriter, r *http.Request) {
		if _, err := client.Enqueue(r.Context(), mailer.Job(r.FormValue("address"))); err != nil {
			http.Error(w, "please try again later", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "welcome; we will send you a mail")
	})
	return mux
}
