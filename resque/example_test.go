package resque_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
)

// Exporter defines a job for the code that enqueues it and the code that performs it.
//
//	# Ruby: module Exporter; @queue = :exports; def self.perform(export_id)
var Exporter = resque.Define1[int64]("Exporter", "exports")

// Usually one program enqueues a job and another performs it. An inline client does both
// without Redis.
func Example() {
	mux := resque.NewMux()
	mux.Handle(Exporter.Handler(func(_ context.Context, exportID int64) error {
		fmt.Println("exporting", exportID)
		return nil
	}))
	client, err := resque.New(nil, resque.Config{Inline: mux})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := client.Enqueue(context.Background(), Exporter.Job(42))
	fmt.Println(receipt.State, err)
	// Output:
	// exporting 42
	// performed <nil>
}

func ExampleDefine1() {
	job := Exporter.Job(42) // Exporter.Job("42") would not compile
	payload, err := job.Encode()
	fmt.Println(job.Queue, string(payload), err)
	// Output: exports {"class":"Exporter","args":[42]} <nil>
}

// An argument that is a struct is a hash in Ruby.
func ExampleDefine1_struct() {
	type options struct {
		ID     int64  `json:"id"`
		Format string `json:"format"`
	}
	export := resque.Define1[options]("Exporter", "exports")
	payload, err := export.Job(options{42, "csv"}).Encode()
	fmt.Println(string(payload), err)
	// Output: {"class":"Exporter","args":[{"id":42,"format":"csv"}]} <nil>
}

func ExampleClient_Enqueue() {
	server, err := embedded.Start("") // in a program, use your Redis server
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	rdb, err := resque.Open(resque.RedisConfig{URL: server.URL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	receipt, err := client.Enqueue(ctx, Exporter.Job(42))
	if errors.Is(err, resque.ErrMaybeQueued) {
		fmt.Println("the connection broke: enqueueing again may queue the job twice")
	}
	fmt.Println(receipt.State, err)

	conn, err := rdb.Conn(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	waiting, err := redis.Strings(conn.Do("LRANGE", rdb.Key("queue", "exports"), 0, -1))
	fmt.Println(waiting, err)
	// Output:
	// queued <nil>
	// [{"class":"Exporter","args":[42]}] <nil>
}

// Ruby compares payloads byte by byte. Use the profile of the Ruby programs that share
// the queues, so that they find the jobs.
func ExampleJSONProfile() {
	job := resque.Job{Queue: "mail", Class: "Mailer", Args: []any{"<ann@example.com>", 1e-10}}
	for _, profile := range []resque.JSONProfile{resque.JSONPlain, resque.JSONRails, resque.JSONPlain215, resque.JSONRails215} {
		payload, err := profile.AppendPayload(nil, job)
		fmt.Println(profile, string(payload), err)
	}
	client, err := resque.New(nil, resque.Config{JSON: resque.JSONRails, Inline: resque.HandlerFunc(
		func(_ context.Context, job *resque.Payload) error {
			fmt.Println("enqueued:", string(job.Raw))
			return nil
		})})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := client.Enqueue(context.Background(), job)
	fmt.Println(receipt.State, err)
	// Output:
	// plain {"class":"Mailer","args":["<ann@example.com>",1.0e-10]} <nil>
	// rails {"class":"Mailer","args":["\u003cann@example.com\u003e",1.0e-10]} <nil>
	// plain-2.15 {"class":"Mailer","args":["<ann@example.com>",1e-10]} <nil>
	// rails-2.15 {"class":"Mailer","args":["\u003cann@example.com\u003e",1e-10]} <nil>
	// enqueued: {"class":"Mailer","args":["\u003cann@example.com\u003e",1.0e-10]}
	// performed <nil>
}

func ExampleMux() {
	mux := resque.NewMux()
	mux.Use(func(next resque.Handler) resque.Handler { // around every job
		return resque.HandlerFunc(func(ctx context.Context, job *resque.Payload) error {
			err := next.Perform(ctx, job)
			fmt.Println(job.Class, "ended:", err)
			return err
		})
	})
	mux.Handle(Exporter.Handler(func(ctx context.Context, exportID int64) error {
		job, _ := resque.FromContext(ctx)
		fmt.Println("export", exportID, "from", job.Queue)
		return nil
	}))
	mux.HandleFunc("Mailer", func(_ context.Context, job *resque.Payload) error { // without a definition
		var to string
		if err := job.Bind(&to); err != nil {
			return err
		}
		return fmt.Errorf("no mailbox for %s", to)
	})

	ctx := context.Background()
	for _, payload := range []string{`{"class":"Exporter","args":[42]}`, `{"class":"Mailer","args":["ann"]}`, `{"class":"Mailer","args":[7]}`} {
		job, err := resque.ParsePayload("urgent", []byte(payload))
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resque.Perform(ctx, mux, job)
	}
	// Output:
	// export 42 from urgent
	// Exporter ended: <nil>
	// Mailer ended: no mailbox for ann
	// Mailer ended: Mailer: argument 1: want string, got 7
}
