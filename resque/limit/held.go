package limit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
)

// Held is the limit of a [Policy] of which places are held.
type Held struct {
	// Name is the class and, if the policy has By, a colon and the key: Arg makes it from
	// the JSON of the argument. Of a key longer than 100 bytes it has # and a digest.
	Name    string
	Holders []Holder
	Waiting int64         // jobs that got no place and are delayed; some may be gone
	Paused  time.Duration // until jobs start again after Wait; 0 if they do
}

// Holder is the holder of a place.
type Holder struct {
	Worker string
	// Dead means that no job holds the place: the record of the worker is gone or has
	// another job. The place is freed when a job does not get one.
	Dead bool
}

// ListHeld returns the limits of policies of which places are held, sorted by name. It
// scans all keys of Redis, about 1,000 in a round trip. If parts is more than 0, it makes
// at most so many round trips for that, and more reports whether there are more keys.
func ListHeld(ctx context.Context, client *resque.Client, parts int) (all []Held, more bool, err error) {
	from, err := storeOf(client)
	if err != nil {
		return nil, false, err
	}
	found, more, err := from.HeldLimits(ctx, parts)
	if err != nil {
		return nil, false, fmt.Errorf("limit: %w", err)
	}
	for _, l := range found {
		if len(l.Held) == 0 { // freed since
			continue
		}
		h := Held{Name: strings.TrimPrefix(l.Name, classPrefix), Waiting: l.Parked, Paused: l.Paused}
		for _, place := range l.Held {
			h.Holders = append(h.Holders, Holder{Worker: place.Worker, Dead: place.Dead})
		}
		slices.SortFunc(h.Holders, func(a, b Holder) int { return cmp.Compare(a.Worker, b.Worker) })
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b Held) int { return cmp.Compare(a.Name, b.Name) })
	all = slices.CompactFunc(all, func(a, b Held) bool { return a.Name == b.Name }) // SCAN may return a key twice
	return all, more, nil
}
