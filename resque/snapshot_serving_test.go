package resque_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/resque"
)

func TestServing(t *testing.T) {
	t.Parallel()
	worker := func(queues ...string) resque.RegisteredWorker {
		return resque.RegisteredWorker{Queues: queues, Registered: true}
	}
	snap := resque.Snapshot{
		Queues:  []resque.QueueState{{Queue: "mail"}, {Queue: "exports"}, {Queue: "exports_low"}, {Queue: "idle"}},
		Workers: []resque.RegisteredWorker{worker("mail"), worker("mail"), worker("exports*", "!*_low"), {Queues: []string{"idle"}}},
	}
	assert.Equal(t, map[string]int{"mail": 2, "exports": 1}, snap.Serving(), "a worker that is not registered serves no queue")
}
