package resque

import (
	"strconv"
	"strings"
	"time"
)

// goHost marks the host's part of a Go worker's id, so that a Ruby worker that
// boots on the same host does not take it for one of its own that has died.
const goHost = "~go"

// parseWorkerID reads HOST:PID:QUEUES, and HOST~go:PID-SLOT:QUEUES. Whatever else
// it is given it reads as far as it can.
//
// Ruby: Resque::Worker.find, which raises there.
func parseWorkerID(id string) RegisteredWorker {
	w := RegisteredWorker{ID: id}
	host, rest, _ := strings.Cut(id, ":")
	process, queues, _ := strings.Cut(rest, ":")
	w.Host, w.Go = strings.CutSuffix(host, goHost)
	pid, slot, _ := strings.Cut(process, "-")
	w.PID, _ = strconv.Atoi(pid)
	w.Slot, _ = strconv.Atoi(slot)
	if queues != "" {
		w.Queues = strings.Split(queues, ",")
	}
	return w
}

// wireTime is a time that Ruby or Go wrote, and zero for what is none.
func wireTime(text string) time.Time {
	at, _ := parseTime(text)
	return at
}
