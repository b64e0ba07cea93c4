package store

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

//go:embed cancel.lua
var cancelLua string

// cancelExpiry is how long a cancellation is kept if the process of the worker does not
// read it.
const cancelExpiry = 24 * time.Hour

// Cancel notes that the job whose record begins with guard is to be canceled, for the
// process of its worker. It returns false if the worker no longer performs that job.
func (s *Store) Cancel(ctx context.Context, worker string, guard []byte) (noted bool, err error) {
	err = s.with(ctx, func(c conn) (err error) {
		noted, err = redis.Bool(c.script(s.scripts.cancel, 2, s.keys.worker(worker), s.keys.cancel(), worker, guard, cancelExpiry.Milliseconds()))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("canceling the job of worker %q: %w", worker, err)
	}
	return noted, nil
}

// Stoppable is a running job that may have to stop.
type Stoppable struct {
	Worker string
	Guard  []byte
	UUID   string // of its status; empty if it has none
}

// Stop is whether a running job has to stop.
type Stop int

// The values of Stop.
const (
	GoesOn Stop = iota
	Canceled
	Killed // see KillStatuses
)

// Stops returns for each of jobs whether it has to stop. If Redis cannot read the jobs to
// cancel, or those to kill, it returns the others and an error that [Refused] is true for.
func (s *Store) Stops(ctx context.Context, jobs []Stoppable) ([]Stop, error) {
	stops := make([]Stop, len(jobs))
	err := s.with(ctx, func(c conn) error {
		workers := redis.Args{s.keys.cancel()}
		killable := []int(nil)
		for i, job := range jobs {
			workers = append(workers, job.Worker)
			if job.UUID != "" {
				killable = append(killable, i)
			}
		}
		wrong := c.Send("HMGET", workers...)
		for _, i := range killable {
			wrong = errors.Join(wrong, c.Send("SISMEMBER", s.keys.kill(), jobs[i].UUID))
		}
		if wrong = errors.Join(wrong, c.Flush()); wrong != nil {
			return wrong
		}
		guards, wrong := redis.ByteSlices(c.receive())
		for i, guard := range guards {
			if i < len(jobs) && len(guard) > 0 && bytes.Equal(guard, jobs[i].Guard) {
				stops[i] = Canceled
			}
		}
		for _, i := range killable {
			killed, err := redis.Bool(c.receive())
			if wrong = errors.Join(wrong, err); killed {
				stops[i] = Killed
			}
		}
		return wrong
	})
	if err != nil {
		return stops, fmt.Errorf("looking for jobs to cancel: %w", err)
	}
	return stops, nil
}

// ArmStops makes Redis send a message at the next change of the jobs to cancel or, with
// kills, to kill.
func (w *Watch) ArmStops(kills bool) error {
	keys := []any{w.store.keys.cancel()}
	if kills {
		keys = append(keys, w.store.keys.kill())
	}
	if _, err := w.arm(keys); err != nil {
		return fmt.Errorf("tracking jobs to cancel: %w", err)
	}
	return nil
}
