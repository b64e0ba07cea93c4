package worker

import (
	"fmt"
	"os"
	"strings"
)

// slotIDs are the ids of n slots of this process: "host~go:pid:queues", and
// "host~go:pid-slot:queues" where there are several. The mark behind the host's
// name is what keeps a Ruby worker that boots on the same host from pruning a
// live Go worker, whose pid its ps pattern does not show.
//
// Ruby: Resque::Worker#to_s and Resque::Worker#prune_dead_workers.
func slotIDs(queues []string, n int) ([]string, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("worker: asking for the host's name: %w", err)
	}
	host = strings.ReplaceAll(host, ":", "-") // ids are split at colons
	names := strings.Join(names(queues), ",")
	if n == 1 {
		return []string{fmt.Sprintf("%s~go:%d:%s", host, os.Getpid(), names)}, nil
	}
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s~go:%d-%d:%s", host, os.Getpid(), i+1, names)
	}
	return ids, nil
}
