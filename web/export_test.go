package web

import (
	"math/rand/v2"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// Forget has the next page read anew.
func Forget(h *Dashboard) { h.forget() }

// Measured gives a dashboard ten minutes of rates, for pictures.
func Measured(h *Dashboard, now time.Time, random *rand.Rand) {
	rises := make([]int64, 180) // up to what fill has
	processed, failed, size := int64(1_283_402), int64(2_917-180), int64(900)
	for i := range rises {
		rises[i] = random.Int64N(25) + 24
		processed -= rises[i]
	}
	step := 0
	for at := now.Add(-30 * time.Minute); at.Before(now); at = at.Add(10 * time.Second) {
		processed += rises[min(step, len(rises)-1)]
		step++
		failed += random.Int64N(3)
		size = max(0, size+random.Int64N(41)-20)
		snap := store.Snapshot{Now: at, Processed: processed, Failed: failed}
		sizes := []int64{17, 342, 1204, 58, 5120}
		for i, name := range []string{"archive", "exports", "images", "mailers", "search_index"} {
			snap.Queues = append(snap.Queues, store.QueueState{Name: name, Size: max(0, sizes[i]+size/8+random.Int64N(20)-112)})
		}
		h.rates.sample(snap)
	}
}
