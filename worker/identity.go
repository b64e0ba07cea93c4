package worker

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/goresque/goresque/internal/exchange"
)

// mark stands between the host's name and the pid in a Go worker's id. It makes
// the id's host another than Ruby's hostname: a Ruby worker that boots prunes
// those of its own host whose pids its ps pattern does not show.
//
// Ruby: Resque::Worker#prune_dead_workers.
const mark = "~go:"

// processName is "host~go:pid" of this process.
func processName() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("asking for the host's name: %w", err)
	}
	host = strings.ReplaceAll(host, ":", "-") // ids are split at colons
	return host + mark + strconv.Itoa(os.Getpid()), nil
}

// slotID is the id of a process's slot: "host~go:pid:queues" for the only one,
// "host~go:pid-number:queues" otherwise.
//
// Ruby: Resque::Worker#to_s.
func slotID(process string, number, slots int, queues []string) string {
	if slots > 1 || number > 1 {
		process += "-" + strconv.Itoa(number)
	}
	return process + ":" + strings.Join(exchange.Names(queues), ",")
}

// processOf is the process of a Go worker's id.
func processOf(id string) (process string, ok bool) {
	host, rest, ok := strings.Cut(id, mark)
	if !ok {
		return "", false
	}
	pid, _, _ := strings.Cut(rest, ":")
	pid, _, _ = strings.Cut(pid, "-")
	return host + mark + pid, true
}
