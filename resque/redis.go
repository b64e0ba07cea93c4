package resque

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/store"
)

// DefaultNamespace is the default of RedisConfig.Namespace, as in Ruby.
const DefaultNamespace = "resque"

// RedisConfig configures the connections to Redis. The zero value connects to
// localhost:6379, database 0, with the namespace "resque".
type RedisConfig struct {
	// URL is the address of the server, in any of the forms that Ruby's
	// Resque.redis= accepts: "host:port", "host:port:db", "host:port/namespace",
	// "redis://…", "rediss://…" for TLS or "unix:///path/to.sock". A URL may
	// contain a user and a password.
	//
	// "redis-sentinel://host1,host2,host3/mymaster/0/namespace" names Redis Sentinels
	// and their master, "redis-cluster://host1,host2,host3" nodes of a Redis Cluster.
	// The port, the database and the namespace may be omitted. rediss-sentinel:// and
	// rediss-cluster:// use TLS. User and password are those of Redis, not of
	// Sentinel.
	//
	// Defaults to "localhost:6379".
	URL string

	// Namespace is the prefix of every key, followed by a colon. It takes
	// precedence over a namespace in the URL.
	//
	// Defaults to "resque".
	Namespace string

	// Sentinels are the addresses of Redis Sentinels, "host" or "host:port", if they are
	// not in the URL. The host of the URL is then the name of the master, such as
	// "redis://mymaster", as in Ruby. The default port is 26379. Name all Sentinels: if
	// one does not answer, the next is asked.
	Sentinels []string

	// SentinelUser and SentinelPassword are for the Sentinels. They are not those of
	// Redis, which are in the URL.
	SentinelUser, SentinelPassword string

	// TLS configures TLS for rediss:// addresses. If it is not nil, other addresses
	// also use TLS. nil trusts the certificate authorities of the system.
	TLS *tls.Config

	// TLSSkipVerify accepts any certificate. Some hosted Redis servers need it
	// because their certificate is self-signed. The connection is encrypted, but an
	// attacker between client and server can read and change it.
	TLSSkipVerify bool

	// TLSCAFile is the path of a PEM file with certificate authorities to trust
	// instead of those of the system.
	TLSCAFile string

	// TLSCertFile and TLSKeyFile are the paths of PEM files with a certificate and its
	// key, for servers that require one from clients.
	TLSCertFile, TLSKeyFile string

	// RubyInspect is how the Ruby programs that use the same Redis write a hash in the
	// keys of locks and of counted attempts; see [RubyInspect].
	//
	// Defaults to RubyInspect33.
	RubyInspect RubyInspect

	// Logger gets warnings about the address: the server does not know the user but
	// accepts the password, or the namespace is a number and may be meant as a
	// database.
	//
	// Defaults to slog.Default().
	Logger *slog.Logger

	// DialTimeout limits the time to connect. Defaults to 5 seconds.
	DialTimeout time.Duration

	// ReadTimeout limits the time to wait for an answer, and WriteTimeout the time to
	// send a command. A deadline of the context replaces ReadTimeout. Each defaults
	// to 10 seconds.
	ReadTimeout, WriteTimeout time.Duration

	// MaxIdle is the maximum number of idle connections. Defaults to 16.
	MaxIdle int

	// MaxOpen is the maximum number of open connections. When it is reached, calls
	// wait for a connection. Defaults to 0, which means no limit.
	MaxOpen int
}

// Redis is a source of connections to Redis, with the namespace of the keys. Workers,
// dashboards and plugins get it from [Client.Redis]. It is safe for concurrent use.
//
// Ruby: Resque.redis.
type Redis struct {
	pool      source
	namespace string
	address   string
	inspect   RubyInspect
}

// source is a *redis.Pool, or a *follower of a server that may change.
type source interface {
	GetContext(ctx context.Context) (redis.Conn, error)
	Close() error
}

var _ store.Redis = (*Redis)(nil)

// Open returns a source of connections to the server that cfg describes. Open does not
// connect. If the server is unreachable, the first call, such as [Redis.Ping], returns
// the error. If the URL is invalid, the error wraps [ErrAddress].
//
// With Sentinels or a cluster, all connections are to the current master. When another
// server becomes the master, calls that are in progress return an error and later calls
// go to the new master. [Redis.Close] ends the goroutine that listens to a Sentinel.
//
// Ruby: Resque.redis=.
func Open(cfg RedisConfig) (*Redis, error) {
	at, err := parseAddress(cfg.URL)
	if err == nil {
		at, err = at.withSentinels(cfg)
	}
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if cfg.TLS, err = cfg.tls(at); err != nil {
		return nil, err
	}
	if at.digits && cfg.Namespace == "" {
		cfg.Logger.Warn("the number after the slash is used as namespace: write host:port:db for a database", "namespace", at.namespace)
	}
	namespace := cmp.Or(cfg.Namespace, at.namespace, DefaultNamespace)
	if err := checkNamespace(at.kind, namespace); err != nil {
		return nil, err
	}
	if cfg.RubyInspect > RubyInspect34 {
		return nil, fmt.Errorf("resque: RedisConfig.RubyInspect is %d; it must be RubyInspect33 or RubyInspect34", cfg.RubyInspect)
	}
	r := &Redis{namespace: namespace, address: at.String(), inspect: cfg.RubyInspect}
	switch at.kind {
	case sentinel:
		r.pool = newFollower(newSentinels(at, cfg), at, cfg)
	case cluster:
		r.pool = newFollower(newNodes(at, cfg, r.Key("queues")), at, cfg)
	case oneServer:
		r.pool = newPool(cfg, newDialer(at, cfg).dial)
	}
	return r, nil
}

// FromPool returns a source of connections from pool. Use it if [RedisConfig] does not
// have the options that you need. An empty namespace means [DefaultNamespace]. Close
// closes pool.
func FromPool(pool *redis.Pool, namespace string) *Redis {
	return &Redis{pool: pool, namespace: cmp.Or(namespace, DefaultNamespace), address: "a pool"}
}

// WithRubyInspect returns a copy of r with another [RedisConfig].RubyInspect, for sources of
// FromPool.
func (r *Redis) WithRubyInspect(v RubyInspect) *Redis {
	with := *r
	with.inspect = v
	return &with
}

// InspectsAsRuby34 reports whether RubyInspect is RubyInspect34.
func (r *Redis) InspectsAsRuby34() bool { return r.inspect == RubyInspect34 }

// Conn returns a connection from the pool. The caller must close it, which returns it to
// the pool.
func (r *Redis) Conn(ctx context.Context) (redis.Conn, error) {
	c, err := r.pool.GetContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to Redis at %s: %w", r.address, err)
	}
	return c, nil
}

// Key returns the name of a key: the namespace and parts, joined with colons.
func (r *Redis) Key(parts ...string) string {
	return r.namespace + ":" + strings.Join(parts, ":")
}

// Namespace returns the prefix of every key, without the colon.
func (r *Redis) Namespace() string { return r.namespace }

// String returns the server's address without its password, for messages.
//
// Ruby: Resque.redis_id.
func (r *Redis) String() string { return r.address }

// Ping returns an error if the server cannot be reached or does not answer.
func (r *Redis) Ping(ctx context.Context) error {
	c, err := r.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := redis.DoContext(c, ctx, "PING"); err != nil {
		return fmt.Errorf("pinging Redis at %s: %w", r.address, store.Plain(err))
	}
	return nil
}

// Close closes idle connections. Those in use are closed when they are returned.
func (r *Redis) Close() error {
	if err := r.pool.Close(); err != nil {
		return fmt.Errorf("closing the connections to Redis at %s: %w", r.address, err)
	}
	return nil
}

func (cfg RedisConfig) withDefaults() RedisConfig {
	cfg.DialTimeout = cmp.Or(cfg.DialTimeout, 5*time.Second)
	cfg.ReadTimeout = cmp.Or(cfg.ReadTimeout, 10*time.Second)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, 10*time.Second)
	cfg.MaxIdle = cmp.Or(cfg.MaxIdle, 16)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	return cfg
}

// tls returns the TLS configuration of the connections, or nil if they do not use TLS.
func (cfg RedisConfig) tls(at address) (*tls.Config, error) {
	if !at.tls && cfg.TLS == nil {
		switch {
		case cfg.TLSSkipVerify:
			return nil, errors.New("resque: TLSSkipVerify needs TLS: use a rediss:// address")
		case cfg.TLSCAFile != "":
			return nil, errors.New("resque: TLSCAFile needs TLS: use a rediss:// address")
		case cfg.TLSCertFile != "":
			return nil, errors.New("resque: TLSCertFile needs TLS: use a rediss:// address")
		case cfg.TLSKeyFile != "":
			return nil, errors.New("resque: TLSKeyFile needs TLS: use a rediss:// address")
		}
		return nil, nil //nolint:nilnil // no TLS
	}
	if (cfg.TLSCertFile == "") != (cfg.TLSKeyFile == "") {
		return nil, errors.New("resque: TLSCertFile and TLSKeyFile need each other: set both")
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLS != nil {
		c = cfg.TLS.Clone()
	}
	c.InsecureSkipVerify = c.InsecureSkipVerify || cfg.TLSSkipVerify //nolint:gosec // the caller has set TLSSkipVerify
	if cfg.TLSCertFile != "" {
		certificate, err := os.ReadFile(cfg.TLSCertFile)
		if err != nil {
			return nil, fmt.Errorf("resque: TLSCertFile: %w", err)
		}
		key, err := os.ReadFile(cfg.TLSKeyFile)
		if err != nil {
			return nil, fmt.Errorf("resque: TLSKeyFile: %w", err)
		}
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("resque: TLSCertFile %s and TLSKeyFile %s: %w", cfg.TLSCertFile, cfg.TLSKeyFile, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if cfg.TLSCAFile == "" {
		return c, nil
	}
	text, err := os.ReadFile(cfg.TLSCAFile)
	if err != nil {
		return nil, fmt.Errorf("resque: TLSCAFile: %w", err)
	}
	if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("resque: TLSCAFile: %s does not contain a PEM certificate", cfg.TLSCAFile)
	}
	return c, nil
}

func newPool(cfg RedisConfig, dial func(context.Context) (redis.Conn, error)) *redis.Pool {
	return &redis.Pool{
		MaxIdle:             cfg.MaxIdle,
		MaxActive:           cfg.MaxOpen,
		Wait:                cfg.MaxOpen > 0,
		IdleTimeout:         4 * time.Minute, // below the 5 minutes after which many proxies drop one
		DialContext:         dial,
		TestOnBorrowContext: new(rested).test,
	}
}

// rested checks whether a connection that was idle in a pool still works. Without the
// check, Enqueue would return ErrMaybeQueued on a connection that a restarted server has
// closed. A connection that was used within the last second is not checked, nor one that was used
// within half a minute if its call can be repeated, as those of an idle worker can. If the
// network drops packets, a check takes the whole read timeout. Therefore, when a check
// fails, all connections that have been idle since before that are dropped unchecked.
type rested struct {
	failed atomic.Int64 // time of the last failed check, in nanoseconds since 1970
}

var errRestedWithDead = errors.New("another connection that was idle at the same time is dead")

// test is a pool's TestOnBorrowContext.
func (r *rested) test(ctx context.Context, c redis.Conn, lastUsed time.Time) error {
	if lastUsed.UnixNano() <= r.failed.Load() {
		return errRestedWithDead
	}
	unused := time.Since(lastUsed)
	if unused < store.Rested || unused < store.RestedLong && store.IsRepeatable(ctx) {
		return nil
	}
	_, err := redis.DoContext(c, ctx, "PING")
	if err != nil {
		r.failed.Store(time.Now().UnixNano())
	}
	return err //nolint:wrapcheck // the pool only checks for nil
}
