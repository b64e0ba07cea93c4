package wire

import (
	"strconv"
	"strings"
)

// goMark ends the host's part of a Go worker's id. It makes that part differ from
// the host's name, so that a Ruby worker that boots on the same host does not take
// the worker for a dead one of its own.
//
// Ruby: Resque::Worker#prune_dead_workers.
const goMark = "~go"

// WorkerID is HOST:PID:QUEUES, and HOST~go:PID-SLOT:QUEUES for a slot of a Go
// process that has several.
type WorkerID struct {
	Host   string // without the mark
	Go     bool   // the id has the mark
	Number string // between the colons, as it is: the pid, with a slot or not
	Queues []string
}

// ParseWorkerID reads a worker's id. ok is false if it has no three parts; what
// there is of it is returned all the same.
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

// GoWorkerID returns the id of one slot of a Go process. The slot is named if the
// process has several, or if an id without one is taken.
//
// Ruby: Resque::Worker#to_s.
func GoWorkerID(host string, pid, slot, slots int, queues []string) WorkerID {
	w := WorkerID{Host: strings.ReplaceAll(host, ":", "-"), Go: true, Number: strconv.Itoa(pid), Queues: queues}
	if slots > 1 || slot > 1 {
		w.Number += "-" + strconv.Itoa(slot)
	}
	return w
}

// String returns the id as Redis has it.
func (w WorkerID) String() string {
	return w.host() + ":" + w.Number + ":" + strings.Join(w.Queues, ",")
}

// Process returns the part of the id that all slots of its process share: the
// host with its mark, and the pid.
func (w WorkerID) Process() string {
	pid, _, _ := strings.Cut(w.Number, "-")
	return w.host() + ":" + pid
}

// PID returns the process's id on its host; 0 if there is none.
func (w WorkerID) PID() int {
	text, _, _ := strings.Cut(w.Number, "-")
	text, _, _ = strings.Cut(text, "+") // node-resque's MultiWorker
	pid, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return max(pid, 0)
}

// Slot returns the number of the process's slot; 0 if the id names none.
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
