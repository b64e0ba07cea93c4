package resume_test

import (
	"context"
	"fmt"
	"iter"
	"log"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/resume"
)

func ExampleEach() {
	files := []string{"a.csv", "b.csv", "c.csv"}
	importer := resque.Define0("Import", "imports", resume.Policy{})
	mux := resque.NewMux()
	mux.Handle(importer.Handler(func(ctx context.Context) error {
		return resume.Each(ctx, func(done int) iter.Seq2[int, string] { // done is 0 at first
			return func(yield func(int, string) bool) {
				for i, file := range files[done:] {
					if !yield(done+i+1, file) {
						return
					}
				}
			}
		}, func(_ context.Context, file string) error {
			fmt.Println("importing", file)
			return nil
		})
	}))
	client, err := resque.New(nil, resque.Config{Inline: mux})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Enqueue(context.Background(), importer.Job()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// importing a.csv
	// importing b.csv
	// importing c.csv
}
