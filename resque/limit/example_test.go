package limit_test

import (
	"context"
	"fmt"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/resque/limit"
)

// Limit a queue for all Go workers, while they run.
func ExampleSet() {
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
	defer rdb.Close()
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := limit.Set(ctx, client, "exports", limit.Queue{Concurrency: 5, Rate: limit.PerMinute(100), Burst: 10}); err != nil {
		fmt.Println(err)
		return
	}
	state, _, err := limit.Get(ctx, client, "exports")
	fmt.Println(state.Limit, err)
	fmt.Println(limit.Set(ctx, client, "exports", limit.Queue{Concurrency: -1}))
	// Output:
	// 5 at once, 100/min, burst 10 <nil>
	// limit: queue "exports": Concurrency is -1; it must not be negative
}

// At most one job per customer runs at a time, among all Go workers.
func ExamplePolicy() {
	exporter := resque.Define2[int64, string]("Exporter", "exports",
		limit.Policy{Concurrency: 1, By: limit.Arg(1)},
	)
	fmt.Println(exporter.Job(42, "rows.csv").Queue)
	// Output: exports
}
