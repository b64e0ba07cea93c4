package unique_test

import (
	"context"
	"fmt"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/resque/unique"
)

func Example() {
	server, err := embedded.Start("")
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

	exporter := resque.Define1[int64]("Exporter", "exports", unique.Policy{For: time.Hour})
	ctx := context.Background()
	for _, id := range []int64{42, 42, 43} {
		receipt, err := client.Enqueue(ctx, exporter.Job(id))
		fmt.Println(id, receipt.State, err)
	}
	lock, ok, err := unique.Holder(ctx, client, exporter.Job(42))
	fmt.Println(lock.Key, ok, err)
	// Output:
	// 42 queued <nil>
	// 42 duplicate <nil>
	// 43 queued <nil>
	// resque:lock:Exporter-[42] true <nil>
}
