package resque

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// sentinels is the locator of a master that Redis Sentinels watch.
type sentinels struct {
	dialer *dialer
	master string

	mu    sync.Mutex
	hosts []string // the one that answered last is the first
}

// A Sentinel that is down should not keep the next one from being asked soon.
const sentinelTimeout = time.Second

// The subscriber sends a ping at an interval, and takes its connection for broken after
// a silence.
const (
	sentinelPing    = 5 * time.Second
	sentinelSilence = 15 * time.Second
)

func newSentinels(at address, cfg RedisConfig) *sentinels {
	s := &sentinels{master: at.master, hosts: slices.Clone(at.hosts)}
	at.user, at.password, at.db = cfg.SentinelUser, cfg.SentinelPassword, 0
	cfg.DialTimeout = min(cfg.DialTimeout, sentinelTimeout)
	cfg.WriteTimeout = min(cfg.WriteTimeout, sentinelTimeout)
	cfg.ReadTimeout = sentinelTimeout
	s.dialer = newDialer(at, cfg)
	return s
}

// locate asks one Sentinel after another for the address of the master.
func (s *sentinels) locate(ctx context.Context, except string) (where string, err error) {
	err = s.ask(ctx, s.dialer, func(c redis.Conn) error {
		parts, err := redis.Strings(redis.DoContext(c, ctx, "SENTINEL", "get-master-addr-by-name", s.master))
		switch {
		case errors.Is(err, redis.ErrNil):
			return &faultError{FaultNoMaster, fmt.Sprintf("it knows no master %q", s.master), nil}
		case err != nil:
			return err //nolint:wrapcheck // ask adds the Sentinel
		case len(parts) != 2:
			return &faultError{FaultNotSentinel, "it does not answer as a Sentinel", nil}
		}
		if where = net.JoinHostPort(parts[0], parts[1]); where == except {
			return errSame
		}
		return nil
	})
	return where, err
}

var errSame = errors.New("it names the same server")

// ask calls fn with a connection to one Sentinel after another, until it returns nil.
func (s *sentinels) ask(ctx context.Context, d *dialer, fn func(c redis.Conn) error) error {
	s.mu.Lock()
	hosts := slices.Clone(s.hosts)
	s.mu.Unlock()
	var errs []error
	for _, host := range hosts {
		err := askOne(ctx, d.to(host, nil), fn)
		if err == nil {
			s.prefer(host)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		errs = append(errs, fmt.Errorf("%s: %w", host, err))
	}
	return noSentinel(s.master, errs)
}

func askOne(ctx context.Context, d *dialer, fn func(c redis.Conn) error) error {
	c, err := d.dial(ctx)
	if err == nil {
		defer c.Close()
		err = fn(c)
	}
	switch err = store.Plain(err); faultCode(err) { //nolint:exhaustive // the others are the same for Redis and Sentinel
	case FaultPassword:
		return &faultError{FaultSentinelPassword, err.Error(), err}
	case FaultCommand:
		return &faultError{FaultNotSentinel, err.Error(), err}
	}
	return err
}

// prefer makes host the first to be asked.
func (s *sentinels) prefer(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := slices.Index(s.hosts, host); at > 0 {
		s.hosts = slices.Insert(slices.Delete(s.hosts, at, at+1), 0, host)
	}
}

// refused makes another Sentinel the first to be asked: this one has not noticed that
// the master was replaced.
func (s *sentinels) refused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts = append(s.hosts[1:len(s.hosts):len(s.hosts)], s.hosts[0])
}

// noSentinel returns the error of a question that no Sentinel answered. A reply, such as
// a wrong password, says more than a Sentinel that is away.
func noSentinel(master string, errs []error) error {
	code := FaultSentinel
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
		if own := faultCode(err); code == FaultSentinel && own != "" && !away(own) {
			code = own
		}
	}
	text := fmt.Sprintf("no Sentinel returned the address of the master %q: %s", master, strings.Join(texts, "; "))
	return &faultError{code, text, errors.Join(errs...)}
}

// away reports whether a fault is that of a server that cannot be reached now.
func away(code FaultCode) bool {
	switch code { //nolint:exhaustive // the others are answers
	case FaultUnreachable, FaultHost, FaultTimeout, FaultClosed, FaultLost:
		return true
	}
	return false
}

// check returns an error if the server that Sentinel named is not a master. During a
// failover it may already be a replica. If the user has no right to ask, the first write
// shows it.
func (s *sentinels) check(ctx context.Context, c redis.Conn) error {
	role, err := roleOf(ctx, c)
	if err != nil || role == "master" || role == "" {
		return err
	}
	return &faultError{FaultFailover, "it is a " + role + " now", nil}
}

// roleOf returns the role of a server, or "" if the user may not ask for it.
func roleOf(ctx context.Context, c redis.Conn) (string, error) {
	reply, err := redis.Values(redis.DoContext(c, ctx, "ROLE"))
	if err == nil && len(reply) > 0 {
		return redis.String(reply[0], nil) //nolint:wrapcheck // explain adds the address
	}
	if !store.Unsupported(err) {
		return "", err //nolint:wrapcheck // as above
	}
	info, err := redis.String(redis.DoContext(c, ctx, "INFO", "replication"))
	if err != nil && !store.Unsupported(err) {
		return "", err //nolint:wrapcheck // as above
	}
	for line := range strings.Lines(info) {
		if role, ok := strings.CutPrefix(line, "role:"); ok {
			return strings.TrimSpace(role), nil
		}
	}
	return "", nil
}

// explain asks a Sentinel whether the others can replace a master that cannot be reached.
func (s *sentinels) explain(ctx context.Context, err error) error {
	failed := &faultError{FaultFailover, err.Error(), err}
	_ = s.ask(ctx, s.dialer, func(c redis.Conn) error {
		_, lacking := redis.DoContext(c, ctx, "SENTINEL", "CKQUORUM", s.master)
		if lacking != nil && strings.HasPrefix(lacking.Error(), "NOQUORUM") {
			failed.code, failed.text = FaultQuorum, failed.text+"; Sentinel says: "+lacking.Error()
		}
		return nil
	})
	return failed
}

// watch subscribes to a Sentinel's messages about masters until ctx ends.
func (s *sentinels) watch(ctx context.Context, moved func(where string)) {
	wait := backoff.Backoff{Limit: time.Second}
	for ; ctx.Err() == nil; wait.Sleep(ctx) {
		_ = s.ask(ctx, s.dialer, func(c redis.Conn) error { // if no Sentinel answers, dial also returns the error
			if _, err := redis.DoContext(c, ctx, "SUBSCRIBE", "+switch-master"); err != nil {
				return err //nolint:wrapcheck // not shown
			}
			wait.Reset()
			if where, err := s.locate(ctx, ""); err == nil { // it may have changed before
				moved(where)
			}
			s.listen(ctx, c, moved)
			return nil
		})
	}
}

// listen calls moved at each message about the master, until ctx ends or c breaks.
func (s *sentinels) listen(ctx context.Context, c redis.Conn, moved func(where string)) {
	ctx, cancel := context.WithCancel(ctx)
	var pings sync.WaitGroup
	pings.Go(func() {
		for err := error(nil); err == nil && backoff.Sleep(ctx, sentinelPing); {
			err = errors.Join(c.Send("PING"), c.Flush())
		}
	})
	defer pings.Wait()
	defer cancel()
	context.AfterFunc(ctx, func() { _ = c.Close() })
	for {
		message, err := redis.Values(redis.ReceiveWithTimeout(c, sentinelSilence))
		if err != nil {
			return
		}
		text := ""
		if len(message) == 3 { // otherwise the reply to a ping
			text, _ = redis.String(message[2], nil)
		}
		// master, old host, old port, new host, new port
		if words := strings.Fields(text); len(words) == 5 && words[0] == s.master {
			moved(net.JoinHostPort(words[3], words[4]))
		}
	}
}
