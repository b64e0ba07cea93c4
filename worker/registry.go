package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// registry registers the slots, sends their heartbeats, and keeps a named
// connection open, which shows other workers that the process is alive.
type registry struct {
	backend  registrar
	dead     *sweeper
	cfg      Config
	process  string
	token    string
	ids      []string
	presence *store.Presence
	beaten   func(ctx context.Context) // is called after each heartbeat
}

// registrar has the methods of the store that a registry uses.
type registrar interface {
	Announce(ctx context.Context, process, token string) (*store.Presence, error)
	Present(ctx context.Context, process string) (tokens []string, ok bool, err error)
	Workers(ctx context.Context) ([]string, error)
	Register(ctx context.Context, workers []string, started time.Time, intervals store.Intervals, force bool) ([]bool, error)
	Beat(ctx context.Context, workers []string, intervals store.Intervals) error
	Retire(ctx context.Context, workers []string) error
}

// enter registers the slots and returns their ids. If an id is taken by a live twin, a
// process with the same host name and pid in another container, enter uses another
// id. If it is taken by a dead worker, enter prunes that worker first.
//
// Ruby: Resque::Worker#startup.
func (r *registry) enter(ctx context.Context) ([]string, error) {
	own, err := thisProcess()
	if err != nil {
		return nil, err
	}
	r.process, r.token = own.process(), rand.Text()
	if r.presence, err = r.backend.Announce(ctx, r.process, r.token); err != nil && !store.Refused(err) {
		return nil, err
	}
	twin, err := r.twin(ctx)
	if err != nil {
		return nil, err
	}
	for number := 1; len(r.ids) < r.cfg.Concurrency; number++ {
		if err := r.take(ctx, own.slot(number, r.cfg.Concurrency, r.cfg.Queues), twin); err != nil {
			return nil, err
		}
	}
	return r.ids, nil
}

// take registers one id, unless a twin has it.
func (r *registry) take(ctx context.Context, id string, twin bool) error {
	own := r.token
	if r.presence == nil {
		own = ""
	}
	const tries = 3 // another process may be pruning the same dead worker
	for range tries {
		taken, err := r.backend.Register(ctx, []string{id}, time.Now(), r.cfg.intervals(), false)
		if err != nil {
			return err
		}
		if taken[0] {
			r.ids = append(r.ids, id)
			return r.finishLeftover(ctx, id)
		}
		if twin {
			return nil
		}
		alive, err := r.dead.takeOver(ctx, id, own)
		if err != nil || alive {
			return err
		}
	}
	return nil
}

// finishLeftover finishes the job in the record of an id that this process has just
// registered. A worker with that id reserved the job after it had been pruned, and
// died.
func (r *registry) finishLeftover(ctx context.Context, id string) error {
	found, err := r.dead.finishRecord(ctx, id)
	if err != nil {
		return err
	}
	if found { // the registration was removed with the record
		if _, err := r.backend.Register(ctx, []string{id}, time.Now(), r.cfg.intervals(), true); err != nil {
			return err
		}
	}
	return nil
}

// twin reports whether another live process has the name of this one. Twins that
// start at the same time see each other, because each names its connection first.
func (r *registry) twin(ctx context.Context) (bool, error) {
	tokens, ok, err := r.backend.Present(ctx, r.process)
	if err != nil {
		return false, err
	}
	if !ok {
		return false, nil // heartbeats alone decide
	}
	return slices.ContainsFunc(tokens, func(token string) bool { return token != r.token }), nil
}

// beat sends the slots' heartbeats until ctx ends, whatever Redis answers: a worker
// without heartbeats is pruned.
//
// Ruby: Resque::Worker#start_heartbeat.
func (r *registry) beat(ctx context.Context, redis *exchange.Outage) {
	var wait backoff.Backoff
	refused := &exchange.Outage{
		Begun: "redis refuses heartbeats, trying again", Over: "redis takes heartbeats again",
		Attrs: resque.LogAttrs, Logger: r.cfg.Logger,
	}
	next := r.cfg.HeartbeatInterval
	for backoff.Sleep(ctx, next) {
		r.renew(ctx)
		if err := r.backend.Beat(ctx, r.ids, r.cfg.intervals()); err != nil {
			r.dead.doubt()
			switch {
			case store.Refused(err):
				refused.Began(err)
			case ctx.Err() == nil:
				redis.Began(err)
			}
			next = min(wait.Next(), r.cfg.HeartbeatInterval/4) // a watch relies on it
			continue
		}
		redis.Ended()
		refused.Ended()
		wait.Reset()
		next = r.cfg.HeartbeatInterval
		r.beaten(ctx)
	}
}

// renew opens the named connection again if it broke. If that fails, the next
// heartbeat tries again.
func (r *registry) renew(ctx context.Context) {
	if r.presence != nil && r.presence.Check() == nil {
		return
	}
	r.close()
	if p, err := r.backend.Announce(ctx, r.process, r.token); err == nil {
		r.presence = p
	}
}

// leaveTimeout is how long a stopping worker tries to reach a Redis that does not
// answer. Other workers then prune it.
const leaveTimeout = 20 * time.Second

// leave unregisters the slots, except the unfinished ones, whose last results are not
// recorded: other workers prune those. It retries for leaveTimeout if Redis is away.
//
// Ruby: Resque::Worker#unregister_worker.
func (r *registry) leave(ctx context.Context, unfinished ...string) error {
	defer r.close()
	ids := slices.DeleteFunc(slices.Clone(r.ids), func(id string) bool { return slices.Contains(unfinished, id) })
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	var wait backoff.Backoff
	for {
		err := r.backend.Retire(ctx, ids)
		if err == nil || errors.Is(err, context.Canceled) || !wait.Sleep(ctx) {
			return err
		}
	}
}

func (r *registry) close() {
	if r.presence != nil {
		r.presence.Close()
		r.presence = nil
	}
}
