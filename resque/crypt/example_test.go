package crypt_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/crypt"
)

func Example() {
	secret := sha256.Sum256([]byte("in a program: 32 random bytes")) // from a file or a variable
	box := crypt.Box{Keys: crypt.Keys{{ID: "2026-01", Secret: secret[:]}}}
	mailer := resque.Define1[string]("Mailer", "mail", box)

	mux := resque.NewMux()
	mux.Handle(mailer.Handler(func(ctx context.Context, to string) error {
		job, _ := resque.FromContext(ctx)
		fmt.Println("to", to)
		fmt.Printf("%.60s…\n", job.Raw)
		return nil
	}))
	client, err := resque.New(nil, resque.Config{Inline: mux})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Enqueue(context.Background(), mailer.Job("ann@example.com")); err != nil {
		log.Fatal(err)
	}
	// Output:
	// to ann@example.com
	// {"class":"Mailer","args":[{"_encrypted":"v1","key":"2026-01"…
}
