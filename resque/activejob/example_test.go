package activejob_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/worker"
)

// ExportJob is a Rails job, defined once for both sides.
//
//	# Ruby: class ExportJob < ApplicationJob; queue_as :exports; def perform(export_id)
var ExportJob = activejob.Define1[int64]("ExportJob", "exports")

// One side enqueues a job, the other performs it, and either may be Rails.
// Inline mode is both at once, and needs no Redis.
func Example() {
	mux := resque.NewMux()
	mux.Handle(ExportJob.Handler(func(ctx context.Context, exportID int64) error {
		data, _ := activejob.FromContext(ctx)
		fmt.Println("exporting", exportID, "from", data.Queue, "after", data.Executions, "attempts")
		return nil
	}))
	client, err := resque.New(nil, resque.Config{Inline: mux})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := client.Enqueue(context.Background(), ExportJob.Job(42))
	fmt.Println(receipt.State, err)
	// Output:
	// exporting 42 from exports after 0 attempts
	// performed <nil>
}

// What Rails put on a queue, performed by parameters of Go's types.
//
//	# Ruby: ReportJob.perform_later(Date.new(2026, 1, 15), owner: current_user, format: :csv)
func ExampleDefine2() {
	type words struct {
		Owner  activejob.GlobalID `json:"owner"`
		Format string             `json:"format"`
	}
	report := activejob.Define2[activejob.Date, activejob.Keywords[words]]("ReportJob", "reports")
	mux := resque.NewMux()
	mux.Handle(report.Handler(func(_ context.Context, day activejob.Date, k activejob.Keywords[words]) error {
		id, _ := k.Of.Owner.Int64()
		fmt.Println(day, k.Of.Owner.Model(), id, k.Of.Format)
		return nil
	}))

	payload := `{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":"ReportJob","arguments":[
		{"_aj_serialized":"ActiveJob::Serializers::DateSerializer","value":"2026-01-15"},
		{"owner":{"_aj_globalid":"gid://shop/User/5"},
		 "format":{"_aj_serialized":"ActiveJob::Serializers::SymbolSerializer","value":"csv"},
		 "_aj_ruby2_keywords":["owner","format"]}]}]}`
	job, err := resque.ParsePayload("reports", []byte(payload))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resque.Perform(context.Background(), mux, job))
	// Output:
	// 2026-01-15 User 5 csv
	// <nil>
}

// The plain form: for arguments whose number or kind differs from job to job.
func ExampleRoute() {
	mux := resque.NewMux()
	mux.Handle(activejob.Route("AuditJob", func(_ context.Context, job *resque.Payload) error {
		for _, value := range activejob.Values(job) {
			fmt.Printf("%T %v\n", value, value)
		}
		return nil
	}))
	client, err := resque.New(nil, resque.Config{Inline: mux})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Enqueue(context.Background(), activejob.Job{
		Class: "AuditJob", Queue: "audits", Locale: "fr",
		Args: []any{7, activejob.Symbol("sold"), time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC), activejob.Decimal("9.90")},
	}.Resque())
	fmt.Println(err)
	// Output:
	// json.Number 7
	// activejob.Symbol sold
	// time.Time 2026-01-15 12:00:00 +0000 UTC
	// activejob.Decimal 9.90
	// <nil>
}

// busyError is an error with the name of a class of the Rails app.
type busyError struct{}

func (busyError) Error() string         { return "the printer is busy" }
func (busyError) ExceptionName() string { return "Printer::Busy" }

// A job that fails is performed again, as by retry_on Printer::Busy, attempts: 3, wait: 0.
func ExampleRetry() {
	server, err := embedded.Start("127.0.0.1:0") // elsewhere: a Redis
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
	defer rdb.Close()
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	exportJob := activejob.Define1[int64]("ExportJob", "exports",
		activejob.Retry{Exceptions: []string{"Printer::Busy"}, Attempts: 3, Wait: activejob.NoWait},
		activejob.Discard{Exceptions: []string{"ActiveRecord::RecordNotFound"}},
	)
	mux := resque.NewMux()
	mux.Handle(exportJob.Handler(func(ctx context.Context, _ int64) error {
		data, _ := activejob.FromContext(ctx)
		fmt.Println(data.Executions, data.Exceptions)
		if data.Executions < 2 {
			return busyError{}
		}
		return nil
	}))
	_, err = client.Enqueue(context.Background(), exportJob.Job(42))
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"exports"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.WorkOff(context.Background()))
	// Output:
	// 0 map[]
	// 1 map[[Printer::Busy]:1]
	// 2 map[[Printer::Busy]:2]
	// <nil>
}

// An argument that Rails could not read is refused when it is enqueued.
func ExampleSerializationError() {
	_, err := ExportJob.Job(42).Encode()
	fmt.Println(err)
	_, err = activejob.Job{Class: "ExportJob", Queue: "exports", Args: []any{
		42, map[string]any{"opts": map[string]string{"_aj_globalid": "gid://shop/User/1"}},
	}}.Resque().Encode()
	fmt.Println(err)
	var refused *activejob.SerializationError
	fmt.Println(errors.As(err, &refused))
	// Output:
	// <nil>
	// resque: ExportJob: argument 2: .opts: Can't serialize a Hash with reserved key "_aj_globalid"
	// true
}

// A failure's record names the class that all jobs of Rails have in a queue. The
// Rails job is inside.
func ExampleFailed() {
	payload, err := activejob.Job{Class: "ExportJob", Queue: "exports", ID: "0b9a", Args: []any{42}}.Resque().Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	record := resque.NewFailure(&resque.Payload{Queue: "exports", Raw: payload}, busyError{}, time.Now()).AppendJSON(nil)

	failure := resque.ParseFailedJob(resque.FailedList, 0, record) // elsewhere: of client.Failures()
	if job, ok := activejob.Failed(failure); ok {
		data, _ := activejob.DataOf(job)
		fmt.Println(job.Class, activejob.Values(job), data.ID, failure.Error)
	}
	// Output:
	// ExportJob [42] 0b9a the printer is busy
}

// A hook of ActiveJob around enqueueing.
func ExampleInside() {
	export := activejob.Define1[int64]("ExportJob", "exports", resque.BeforeEnqueue(func(_ context.Context, job resque.Job) (bool, error) {
		inside, _ := activejob.Inside(job)
		fmt.Println("to be enqueued:", inside.Class, inside.Args)
		return false, nil
	}))
	client, err := resque.New(nil, resque.Config{Inline: resque.NewMux()})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := client.Enqueue(context.Background(), export.Job(42))
	fmt.Println(receipt.State, err)
	// Output:
	// to be enqueued: ExportJob [42]
	// vetoed <nil>
}

// A job that Rails has interrupted in its second step goes on there.
func ExampleStep() {
	importJob := activejob.Define1[int]("ImportJob", "imports", activejob.Continuable{})
	mux := resque.NewMux()
	mux.Handle(importJob.Handler(func(ctx context.Context, rows int) error {
		if err := activejob.Step(ctx, "validate", func(*activejob.Cursor) error {
			fmt.Println("validating")
			return nil
		}); err != nil {
			return err
		}
		return activejob.StepFrom(ctx, "rows", 1, func(c *activejob.Cursor) error {
			var row int
			if err := c.Get(&row); err != nil {
				return err
			}
			for ; row <= rows; row++ {
				fmt.Println("storing row", row)
				if err := c.Set(row + 1); err != nil {
					return err
				}
			}
			return nil
		})
	}))

	payload := `{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":"ImportJob","arguments":[5],
		"continuation":{"completed":["validate"],"current":["rows",4]},"resumptions":0}]}`
	job, err := resque.ParsePayload("imports", []byte(payload))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resque.Perform(context.Background(), mux, job))
	// Output:
	// storing row 4
	// storing row 5
	// <nil>
}
