package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Watch waits until keys change, without polling: Redis sends the invalidation messages
// of client tracking. It works for any number of queues, also sees pauses and new
// queues, and writes nothing. It holds two connections.
type Watch struct {
	store *Store
	told  conn // receives the messages

	mu     sync.Mutex
	reader conn // its reads are tracked
}

// invalidations is the channel of the invalidation messages.
const invalidations = "__redis__:invalidate"

// NewWatch opens a watch. If the server does not support client tracking, Unsupported
// reports true for the error.
func (s *Store) NewWatch(ctx context.Context) (*Watch, error) {
	reader, err := s.rdb.Conn(ctx)
	if err != nil {
		return nil, err
	}
	told, err := s.rdb.Conn(ctx)
	if err != nil {
		reader.Close()
		return nil, err
	}
	w := &Watch{store: s, reader: conn{Conn: reader}, told: conn{Conn: told}}
	if err := w.open(); err != nil {
		w.Close()
		return nil, fmt.Errorf("tracking keys: %w", err)
	}
	return w, nil
}

func (w *Watch) open() error {
	id, err := redis.Int64(w.told.do("CLIENT", "ID"))
	if err != nil {
		return err
	}
	if _, err := w.told.do("SUBSCRIBE", invalidations); err != nil {
		return err
	}
	_, err = w.reader.do("CLIENT", "TRACKING", "ON", "REDIRECT", id)
	return err
}

// Arm makes Redis send a message at the next change of the queues, of their pauses and
// limits, of the jobs that run by a limit and, with names, of the set of queue names. Call Arm first and look for jobs then:
// a change between a look and a later Arm would be missed.
func (w *Watch) Arm(queues []string, names bool) error {
	k := w.store.keys
	watched := []any{k.pauseAll(), k.pauseEvery(), k.limits()}
	if l := w.store.lastLimits.Load(); l != nil {
		for _, q := range l.names {
			watched = append(watched, k.held(queueLimit(q)))
		}
	}
	if names {
		watched = append(watched, k.queues())
	}
	for _, q := range queues {
		watched = append(watched, k.queue(q), k.pauseQueue(q))
	}
	if _, err := w.arm(watched); err != nil {
		return fmt.Errorf("tracking %d queues: %w", len(queues), err)
	}
	return nil
}

// ArmDelayed makes Redis send a message at the next change of the seconds that have
// delayed jobs.
func (w *Watch) ArmDelayed() error {
	if _, err := w.arm([]any{w.store.keys.delayedSchedule()}); err != nil {
		return fmt.Errorf("tracking delayed jobs: %w", err)
	}
	return nil
}

// ArmMaster makes Redis send a message when the lock of the master is released,
// expires, or is renewed. It reports whether the lock is held.
func (w *Watch) ArmMaster(prefix string) (held bool, err error) {
	n, err := w.arm([]any{w.store.keys.master(prefix)})
	if err != nil {
		return false, fmt.Errorf("tracking the lock of the scheduler: %w", err)
	}
	return n > 0, nil
}

// arm makes Redis send a message at the next change of a key. It returns how many of
// the keys exist.
func (w *Watch) arm(keys []any) (exist int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for some := range slices.Chunk(keys, 5000) {
		n, err := redis.Int64(w.reader.do("EXISTS", some...))
		if err != nil {
			return 0, err
		}
		exist += n
	}
	return exist, nil
}

// Wait returns when a key that was armed has changed, or an error if ctx ends or a
// connection breaks. renamed reports whether the set of queue names changed. Another
// goroutine must call Ping: without messages, Wait takes the connection for broken.
func (w *Watch) Wait(ctx context.Context) (renamed bool, err error) {
	for {
		reply, err := redis.Values(w.hear(ctx))
		if err != nil {
			return false, fmt.Errorf("waiting for a change: %w", err)
		}
		if len(reply) != 3 { // the reply to a ping
			continue
		}
		keys, err := redis.Strings(reply[2], nil)
		if err != nil && !errors.Is(err, redis.ErrNil) { // nil: everything was flushed
			continue
		}
		return keys == nil || slices.Contains(keys, w.store.keys.queues()), nil
	}
}

// hear returns the next message. redigo's ReceiveContext would wait no longer than the
// read timeout of the connection, which the user has chosen and which may be short, and
// would pass the message from another goroutine.
func (w *Watch) hear(ctx context.Context) (message any, err error) {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { //nolint:contextcheck // breakConn needs a context that has ended
		defer close(ended)
		breakConn(w.told.Conn)
	})
	message, err = redis.ReceiveWithTimeout(w.told.Conn, silence)
	if !stop() {
		<-ended
		return nil, ctx.Err()
	}
	return message, err
}

// Ping sends a ping on both connections and returns an error if one is broken. It may
// be called while another goroutine is in Arm or Wait.
func (w *Watch) Ping() error {
	w.mu.Lock()
	_, err := w.reader.do("PING")
	w.mu.Unlock()
	if err != nil {
		return fmt.Errorf("checking the tracking connection: %w", err)
	}
	if err := errors.Join(w.told.Send("PING"), w.told.Flush()); err != nil {
		return fmt.Errorf("checking the connection for invalidations: %w", err)
	}
	return nil
}

// PingInterval is how often Ping must be called. Each ping costs an idle worker two
// commands. silence is how long Wait waits for a message, even the reply to a ping,
// before it takes the connection for broken.
const (
	PingInterval = 20 * time.Second
	silence      = PingInterval + 10*time.Second
)

// Close stops tracking and returns the connections to their pool. No goroutine may be
// in Wait.
func (w *Watch) Close() {
	_, _ = w.reader.do("CLIENT", "TRACKING", "OFF")
	w.reader.Close()
	w.told.Close() // the pool ends the subscription
}

// AwaitJob waits until a queue holds a job, at most for atMost. It is for servers
// that do not support client tracking, and uses a connection while it waits. It does
// not change the list, although Redis counts each success as a write. It returns at
// once if the queue holds a job.
func (s *Store) AwaitJob(ctx context.Context, queue string, atMost time.Duration) (found bool, err error) {
	rc, err := s.rdb.Conn(ctx)
	if err != nil {
		return false, fmt.Errorf("waiting for a job in queue %q: %w", queue, err)
	}
	defer rc.Close()
	key := s.keys.queue(queue)
	reply, err := redis.DoContext(rc, ctx, "BLMOVE", key, key, "LEFT", "LEFT", atMost.Seconds())
	if err != nil {
		return false, fmt.Errorf("waiting for a job in queue %q: %w", queue, err)
	}
	return reply != nil, nil
}
