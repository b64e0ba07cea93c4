package wire

import (
	"strconv"
	"strings"
)

// goMark is the suffix of the host in the id of a Go worker. Because of it the host part
// differs from the host's name. Otherwise a Ruby worker that boots on the same host would
// take the Go worker for a dead worker of its host.
//
// Ruby: Resque::Worker#prune_dead_workers.
const goMark = "~go"

// WorkerID is a parsed worker id: HOST:PID:QUEUES, or HOST~go:PID-SLOT:QUEUES for a slot
// of a Go process with several slots.
type WorkerID struct {
	Host   string // without ~go
	Go     bool   // the id has ~go
	Number string // the text between the colons: the pid, with or without a slot
	Queues []string
}

// ParseWorkerID parses a worker's id. ok is false if the id does not have three parts;
// w then has the parts that exist.
//
// Ruby: Resque::Worker.find, which raises for such an id.
func ParseWorkerID(id string) (w WorkerID, ok bool) {
	host, rest, _ := strings.Cut(id, ":")
	number, queues, ok := strings.Cut(rest, ":") // a queue's name may have colons
	w.Host, w.Go = strings.CutSuffix(host, goMark)
	w.Number = number
	if queues != "" {
		w.Queues = strings.Split(queues, ",")
	}
	return w, ok
}

// GoWorkerID returns the id of a slot of a Go process. The id has the slot's number if
// slots or slot is greater than 1.
//
// Ruby: Resque::Worker#to_s.
func GoWorkerID(host string, pid, slot, slots int, queues []string) WorkerID {
	w := WorkerID{Host: strings.ReplaceAll(host, ":", "-"), Go: true, Number: strconv.Itoa(pid), Queues: queues}
	if slots > 1 || slot > 1 {
		w.Number += "-" + strconv.Itoa(slot)
	}
	return w
}

// String returns the id as it is stored in Redis.
func (w WorkerID) String() string {
	return w.host() + ":" + w.Number + ":" + strings.Join(w.Queues, ",")
}

// Process returns the part of the id that all slots of a process share: the host, with
// ~go if the id has it, and the pid.
func (w WorkerID) Process() string {
	pid, _, _ := strings.Cut(w.Number, "-")
	return w.host() + ":" + pid
}

// PID returns the id of the process, 0 if the worker id has none.
func (w WorkerID) PID() int {
	text, _, _ := strings.Cut(w.Number, "-")
	text, _, _ = strings.Cut(text, "+") // node-resque's MultiWorker
	pid, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return max(pid, 0)
}

// Slot returns the number of the slot, 0 if the worker id has none.
func (w WorkerID) Slot() int {
	_, text, _ := strings.Cut(w.Number, "-")
	slot, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return slot
}

func (w WorkerID) host() string {
	if w.Go {
		return w.Host + goMark
	}
	return w.Host
}
