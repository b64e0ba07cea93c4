package web

import (
	"context"
	"time"
)

// sampleEvery is how often Run looks.
const sampleEvery = 10 * time.Second

// Run keeps the dashboard's graphs up to date while nobody looks, until ctx ends:
// it reads the state of Resque every 10 seconds, and writes nothing. Then it has
// the operation that is running end, and waits for it. It returns nil.
//
// It is for who likes the graphs filled when a page is opened; without it rates
// are measured while somebody looks, and operations end with the process.
func (h *Dashboard) Run(ctx context.Context) error {
	away := false
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		reading, cancel := context.WithTimeout(ctx, sampleEvery)
		_, err := h.snapshot(reading)
		cancel()
		if err != nil && ctx.Err() == nil && !away {
			h.cfg.Logger.Warn("dashboard cannot read the state of resque; it tries on", "err", err)
		}
		away = err != nil
		select {
		case <-ctx.Done():
			h.operations.stop()
			return nil
		case <-tick.C:
		}
	}
}
