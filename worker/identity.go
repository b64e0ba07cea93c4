package worker

import (
	"fmt"
	"os"

	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/wire"
)

// identity is the part of this process's worker ids that is the same for all slots.
type identity struct {
	host string
	pid  int
}

// thisProcess returns the identity of this process.
func thisProcess() (identity, error) {
	host, err := os.Hostname()
	if err != nil {
		return identity{}, fmt.Errorf("asking for the host's name: %w", err)
	}
	return identity{host, os.Getpid()}, nil
}

// slot returns the id of the process's slot of that number. It names the number if
// the process has several slots, or if the id without one is taken.
//
// Ruby: Resque::Worker#to_s.
func (i identity) slot(number, slots int, queues []string) string {
	return wire.GoWorkerID(i.host, i.pid, number, slots, exchange.Names(queues)).String()
}

// process returns "host~go:pid", which names the process's connection.
func (i identity) process() string {
	return wire.GoWorkerID(i.host, i.pid, 1, 1, nil).Process()
}

// processOf returns the process of a Go worker's id.
func processOf(id string) (process string, ok bool) {
	parts, _ := wire.ParseWorkerID(id)
	if !parts.Go {
		return "", false
	}
	return parts.Process(), true
}
