package doctor_test

import (
	"context"
	"fmt"
	"log"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/doctor"
	"github.com/goresque/goresque/resque/embedded"
)

func ExampleCheck() {
	server, err := embedded.Start("")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	rdb, err := resque.Open(resque.RedisConfig{URL: server.URL()})
	if err != nil {
		log.Fatal(err)
	}
	defer rdb.Close()
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if _, err := client.Enqueue(ctx, resque.Job{Queue: "exprots", Class: "Exporter"}); err != nil {
		log.Fatal(err)
	}

	report, err := doctor.Check(ctx, client, doctor.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range report.Findings {
		fmt.Println(f.Code, f.Title, f.Evidence)
	}
	// Output:
	// W05 Queues with jobs that no registered worker serves [queue "exprots" has 1 jobs]
}
