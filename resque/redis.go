package resque

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/store"
)

// DefaultNamespace is what Resque's keys begin with unless another is given.
const DefaultNamespace = "resque"

// RedisConfig says where Redis is. Its zero value is the server on this
// machine's port 6379, database 0, namespace "resque".
type RedisConfig struct {
	// URL is any of the spellings that Ruby's Resque.redis= takes:
	// "host:port", "host:port:db", "host:port/namespace", "redis://…",
	// "rediss://…" for TLS, "unix:///path/to.sock", with user and password
	// where the server wants them.
	//
	// Defaults to "localhost:6379".
	URL string

	// Namespace goes before every key, followed by a colon. It wins over one
	// in the URL.
	//
	// Defaults to "resque".
	Namespace string

	// TLS is used for rediss:// addresses, and for any other address where it
	// is set. nil means the system's authorities.
	TLS *tls.Config

	// TLSSkipVerify accepts any certificate, as a hosted Redis with a certificate
	// that it signed itself needs it. The connection is then encrypted, but
	// whoever is between can read it.
	TLSSkipVerify bool

	// TLSCAFile is a PEM file of the authorities that are trusted instead of the
	// system's.
	TLSCAFile string

	// Logger gets warnings about the address: a user that the server does not
	// know while its password is right, a namespace that may be meant as a
	// database.
	//
	// Defaults to slog.Default().
	Logger *slog.Logger

	// DialTimeout bounds connecting. Defaults to 5 seconds.
	DialTimeout time.Duration

	// ReadTimeout and WriteTimeout bound one exchange with Redis. A deadline of
	// the context takes ReadTimeout's place. Default to 10 seconds.
	ReadTimeout, WriteTimeout time.Duration

	// MaxIdle is how many unused connections are kept. Defaults to 16.
	MaxIdle int

	// MaxOpen is how many connections there may be; who wants another waits.
	// Defaults to 0, no limit.
	MaxOpen int
}

// Redis is a source of connections and the namespace of the keys: what a
// Rubyist knows as Resque.redis. Workers, dashboards and plugins all get theirs
// from Client.Redis. It is safe for concurrent use.
type Redis struct {
	pool      *redis.Pool
	namespace string
	address   string
}

var _ store.Redis = (*Redis)(nil)

// Open returns a source of connections to the Redis that cfg names. Nothing is
// dialled yet: a server that is away is reported by the first call, or by Ping.
//
// Ruby: Resque.redis=.
func Open(cfg RedisConfig) (*Redis, error) {
	at, err := parseAddress(cfg.URL)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if cfg.TLS, err = cfg.tls(at); err != nil {
		return nil, err
	}
	if at.digits && cfg.Namespace == "" {
		cfg.Logger.Warn("the number behind the slash is the namespace; a database is spelled host:port:db", "namespace", at.namespace)
	}
	namespace := cmp.Or(cfg.Namespace, at.namespace, DefaultNamespace)
	return &Redis{pool: newPool(at, cfg), namespace: namespace, address: at.String()}, nil
}

// FromPool returns a source over a pool of yours, for what RedisConfig cannot
// say. An empty namespace means DefaultNamespace. Closing it closes the pool.
func FromPool(pool *redis.Pool, namespace string) *Redis {
	return &Redis{pool: pool, namespace: cmp.Or(namespace, DefaultNamespace), address: "a pool"}
}

// Conn returns a connection from the pool. The caller closes it, which gives it
// back.
func (r *Redis) Conn(ctx context.Context) (redis.Conn, error) {
	c, err := r.pool.GetContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to Redis at %s: %w", r.address, err)
	}
	return c, nil
}

// Key joins parts with colons, below the namespace.
func (r *Redis) Key(parts ...string) string {
	return r.namespace + ":" + strings.Join(parts, ":")
}

// Namespace is what every key begins with, without the colon.
func (r *Redis) Namespace() string { return r.namespace }

// String is the server's address without its password, for messages.
//
// Ruby: Resque.redis_id.
func (r *Redis) String() string { return r.address }

// Ping asks the server whether it is there.
func (r *Redis) Ping(ctx context.Context) error {
	c, err := r.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := redis.DoContext(c, ctx, "PING"); err != nil {
		return fmt.Errorf("asking Redis at %s: %w", r.address, store.Plain(err))
	}
	return nil
}

// Close closes the connections that are not in use.
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

// tls is how a connection is encrypted, nil if it is not.
func (cfg RedisConfig) tls(at address) (*tls.Config, error) {
	if !at.tls && cfg.TLS == nil {
		if cfg.TLSSkipVerify || cfg.TLSCAFile != "" {
			return nil, errors.New("resque: TLSSkipVerify and TLSCAFile need TLS: the address begins with rediss://")
		}
		return nil, nil //nolint:nilnil // no TLS
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLS != nil {
		c = cfg.TLS.Clone()
	}
	c.InsecureSkipVerify = c.InsecureSkipVerify || cfg.TLSSkipVerify //nolint:gosec // asked for by name
	if host, _, err := net.SplitHostPort(at.where); err == nil && c.ServerName == "" {
		c.ServerName = host
	}
	if cfg.TLSCAFile == "" {
		return c, nil
	}
	text, err := os.ReadFile(cfg.TLSCAFile)
	if err != nil {
		return nil, fmt.Errorf("resque: TLSCAFile: %w", err)
	}
	if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("resque: TLSCAFile: there is no certificate in %s", cfg.TLSCAFile)
	}
	return c, nil
}

func newPool(at address, cfg RedisConfig) *redis.Pool {
	return &redis.Pool{
		MaxIdle:             cfg.MaxIdle,
		MaxActive:           cfg.MaxOpen,
		Wait:                cfg.MaxOpen > 0,
		IdleTimeout:         4 * time.Minute, // below the 5 minutes after which many proxies drop one
		DialContext:         newDialer(at, cfg).dial,
		TestOnBorrowContext: new(rested).test,
	}
}

// rested tells whether connections that rested in a pool still stand. One that
// a restarted server has cut would answer an Enqueue with ErrMaybeQueued. One in
// steady use needs no asking. Where the line went dead without a word, asking
// takes the whole read timeout: the first one that fails speaks for all that
// have rested since before.
type rested struct {
	failed atomic.Int64 // when one last failed, in nanoseconds since 1970
}

var errRestedWithDead = errors.New("a connection that rested beside it is dead")

// test is a pool's TestOnBorrowContext.
func (r *rested) test(ctx context.Context, c redis.Conn, lastUsed time.Time) error {
	if lastUsed.UnixNano() <= r.failed.Load() {
		return errRestedWithDead
	}
	if time.Since(lastUsed) < time.Second {
		return nil
	}
	_, err := redis.DoContext(c, ctx, "PING")
	if err != nil {
		r.failed.Store(time.Now().UnixNano())
	}
	return err //nolint:wrapcheck // the pool only asks whether there is one
}
