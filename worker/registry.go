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
)

// registry is the worker as others see it: its slots' ids, their heartbeats,
// and a connection that tells that the process lives.
type registry struct {
	backend  registrar
	dead     *sweeper
	cfg      Config
	process  string
	token    string
	ids      []string
	presence *store.Presence
}

// registrar is what a registry needs of the store.
type registrar interface {
	Announce(ctx context.Context, process, token string) (*store.Presence, error)
	Present(ctx context.Context, process string) (tokens []string, ok bool, err error)
	Workers(ctx context.Context) ([]string, error)
	Register(ctx context.Context, workers []string, started time.Time, force bool) ([]bool, error)
	Beat(ctx context.Context, workers []string) error
	Retire(ctx context.Context, workers []string) error
}

// enter registers the slots and returns their ids. An id that is taken belongs
// to a live twin, a process with the same host name and pid in another
// container, which keeps it; or to one that died, whose job is settled first.
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
	const tries = 3 // somebody else may be settling the same dead worker
	for range tries {
		taken, err := r.backend.Register(ctx, []string{id}, time.Now(), false)
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
		alive, err := r.dead.takeOver(ctx, id, r.presence != nil)
		if err != nil || alive {
			return err
		}
	}
	return nil
}

// finishLeftover finishes the job of a record under an id of ours that has no registration:
// what is left of a worker that died after somebody had pruned it.
func (r *registry) finishLeftover(ctx context.Context, id string) error {
	found, err := r.dead.finishRecord(ctx, id)
	if err != nil {
		return err
	}
	if found { // its registration went with the record
		if _, err := r.backend.Register(ctx, []string{id}, time.Now(), true); err != nil {
			return err
		}
	}
	return nil
}

// twin tells whether another process of this name is alive. Both twins see each
// other when they start at the same time, since each announces itself first.
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

// beat says that the slots are alive until ctx ends. It must outlast every
// trouble: a worker that falls silent is pruned, job and all.
//
// Ruby: Resque::Worker#start_heartbeat.
func (r *registry) beat(ctx context.Context, redis *exchange.Outage) {
	var wait backoff.Backoff
	refused := &exchange.Outage{Begun: "redis refuses heartbeats, trying again", Over: "redis takes heartbeats again", Logger: r.cfg.Logger}
	next := r.cfg.HeartbeatInterval
	for backoff.Sleep(ctx, next) {
		r.renew(ctx)
		if err := r.backend.Beat(ctx, r.ids); err != nil {
			switch {
			case store.Refused(err):
				refused.Began(err)
			case ctx.Err() == nil:
				redis.Began(err)
			}
			next = min(wait.Next(), r.cfg.HeartbeatInterval)
			continue
		}
		redis.Ended()
		refused.Ended()
		wait.Reset()
		next = r.cfg.HeartbeatInterval
	}
}

// renew announces the process again where its connection broke. Where that
// fails, the next beat tries again.
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
// answer, before it leaves the rest to sweepers.
const leaveTimeout = 20 * time.Second

// leave unregisters the slots, trying for a while where Redis is away: what is
// left behind looks like a crash to others, as unsettled slots are to.
//
// Ruby: Resque::Worker#unregister_worker.
func (r *registry) leave(ctx context.Context, unsettled ...string) error {
	defer r.close()
	ids := slices.DeleteFunc(slices.Clone(r.ids), func(id string) bool { return slices.Contains(unsettled, id) })
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
