// Command asynq is the program before the move in docs/from-asynq.md. It is here because
// this module has asynq.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
)

type Welcome struct {
	UserID int64 `json:"user_id"`
}

func main() {
	redis, err := asynq.ParseRedisURI(os.Getenv("REDIS_URL"))
	if err != nil {
		log.Fatal(err)
	}
	if len(os.Args) == 3 && os.Args[1] == "welcome" {
		err = welcome(redis, os.Args[2])
	} else {
		mux := asynq.NewServeMux()
		mux.HandleFunc("mail:welcome", sendWelcome)
		err = asynq.NewServer(redis, asynq.Config{Queues: map[string]int{"critical": 6, "mail": 3}}).Run(mux)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func sendWelcome(_ context.Context, t *asynq.Task) error {
	var w Welcome
	if err := json.Unmarshal(t.Payload(), &w); err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	if w.UserID == 0 {
		return fmt.Errorf("no user: %w", asynq.SkipRetry)
	}
	fmt.Println("asynq welcomes", w.UserID)
	return nil
}

func welcome(redis asynq.RedisConnOpt, user string) error {
	id, err := strconv.ParseInt(user, 10, 64)
	if err != nil {
		return fmt.Errorf("user: %w", err)
	}
	payload, err := json.Marshal(Welcome{id})
	if err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	client := asynq.NewClient(redis)
	defer func() { _ = client.Close() }()
	_, err = client.Enqueue(asynq.NewTask("mail:welcome", payload), asynq.Queue("mail"), asynq.MaxRetry(5),
		asynq.Timeout(30*time.Second), asynq.Unique(time.Hour), asynq.ProcessIn(10*time.Minute))
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	return nil
}
