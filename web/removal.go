package web

import (
	"sync"
	"time"

	"github.com/goresque/goresque/resque"
)

// removals are the last failures that readers of this process removed or retried by
// name: who comes for one of them later is told.
type removals struct {
	mu   sync.Mutex
	byID map[resque.FailureID]removal
	last []resque.FailureID
}

type removal struct {
	user, act string
	at        time.Time
}

// removalsKept is how many are remembered.
const removalsKept = 2000

func (r *removals) add(user, act string, ids ...resque.FailureID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = map[resque.FailureID]removal{}
	}
	for _, id := range ids {
		id.Position = 0 // it may have moved
		if _, ok := r.byID[id]; !ok {
			r.last = append(r.last, id)
		}
		r.byID[id] = removal{user, act, time.Now()}
	}
	for len(r.last) > removalsKept {
		delete(r.byID, r.last[0])
		r.last = r.last[1:]
	}
}

// told says who removed a failure, where that is known.
func (r *removals) told(id resque.FailureID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	id.Position = 0
	known, ok := r.byID[id]
	if !ok {
		return ""
	}
	at := known.at.UTC().Format("2006-01-02 15:04:05 UTC")
	if known.act == "retry" {
		return t("Retried by %s at %s.", known.user, at)
	}
	return t("Removed by %s at %s.", known.user, at)
}
