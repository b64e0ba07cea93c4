package resque_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// answers opens cfg, enqueues a job and returns the error.
func answers(t *testing.T, cfg resque.RedisConfig) error {
	t.Helper()
	rdb, err := resque.Open(cfg)
	require.NoError(t, err)
	defer rdb.Close()
	if err := rdb.Ping(t.Context()); err != nil {
		return err
	}
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	_, err = client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: "A"})
	return err
}

func TestPasswordAndACLUser(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--requirepass", "s3cret!", "--user", "ann", "on", ">w0rd/", "~resque:*", "+@all")
	at, err := url.Parse(s.URL)
	require.NoError(t, err)
	with := func(user *url.Userinfo) resque.RedisConfig {
		u := *at
		u.User = user
		return resque.RedisConfig{URL: u.String()}
	}
	require.NoError(t, answers(t, with(url.UserPassword("", "s3cret!"))))
	require.NoError(t, answers(t, with(url.UserPassword("ann", "w0rd/"))))
	for _, wrong := range []*url.Userinfo{nil, url.UserPassword("", "guessed"), url.UserPassword("ann", "s3cret!")} {
		err := answers(t, with(wrong))
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "guessed")
		assert.NotContains(t, err.Error(), "s3cret")
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "r") //nolint:usetesting // a socket's path must be short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "redis.sock")
	redistest.StartReal(t, "--unixsocket", socket)
	require.NoError(t, answers(t, resque.RedisConfig{URL: "unix://" + socket}))
}

func TestTLSWithOwnAuthorityAndClientCertificate(t *testing.T) {
	t.Parallel()
	certs := redistest.Certify(t)
	port := redistest.FreePort(t)
	redistest.StartReal(t, "--tls-port", port, "--tls-ca-cert-file", certs.Authority,
		"--tls-cert-file", certs.Certificate, "--tls-key-file", certs.Key, "--tls-auth-clients", "yes")
	authority, err := os.ReadFile(certs.Authority)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(authority))
	own, err := tls.LoadX509KeyPair(certs.Certificate, certs.Key)
	require.NoError(t, err)
	at := "rediss://127.0.0.1:" + port

	require.NoError(t, answers(t, resque.RedisConfig{URL: at, TLS: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}}))
	require.Error(t, answers(t, resque.RedisConfig{URL: at, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}), "no client certificate")
	require.ErrorContains(t, answers(t, resque.RedisConfig{URL: at}), "certificate", "an authority that the system does not know")
}

// A connection that the server refused is closed, whichever way was tried.
func TestRefusedConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--requirepass", "s3cret!")
	at, err := url.Parse(s.URL)
	require.NoError(t, err)
	at.User = url.UserPassword("", "s3cret!")
	admin, err := redis.DialURL(at.String())
	require.NoError(t, err)
	defer admin.Close()
	for _, user := range []*url.Userinfo{url.UserPassword("", "wrong"), url.UserPassword("h", "wrong")} {
		at.User = user
		rdb, err := resque.Open(resque.RedisConfig{URL: at.String()})
		require.NoError(t, err)
		defer rdb.Close()
		for range 3 {
			require.Error(t, rdb.Ping(t.Context()))
		}
	}
	require.Eventually(t, func() bool {
		list, err := redis.String(admin.Do("CLIENT", "LIST"))
		return err == nil && strings.Count(list, "\n") == 1
	}, time.Minute, 10*time.Millisecond, "only the test's own connection is open")
}

// Some hosting providers give out URLs with a user although the server has only a
// password.
func TestAUserThatTheServerDoesNotKnowFallsBackToThePassword(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--requirepass", "s3cret!")
	at, err := url.Parse(s.URL)
	require.NoError(t, err)
	at.User = url.UserPassword("h", "s3cret!")
	var log bytes.Buffer
	rdb, err := resque.Open(resque.RedisConfig{URL: at.String(), MaxIdle: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	defer rdb.Close()
	for range 2 {
		a, err := rdb.Conn(t.Context())
		require.NoError(t, err)
		b, err := rdb.Conn(t.Context())
		require.NoError(t, err)
		_, _ = a.Close(), b.Close()
	}
	assert.Equal(t, 1, strings.Count(log.String(), "accepted only the password"), "it warns once")
	assert.NotContains(t, log.String(), "s3cret")
}

func TestCertificateThatDoesNotVerifyNeedsASwitch(t *testing.T) {
	t.Parallel()
	certs := redistest.Certify(t)
	port := redistest.FreePort(t)
	redistest.StartReal(t, "--tls-port", port, "--tls-ca-cert-file", certs.Authority,
		"--tls-cert-file", certs.Certificate, "--tls-key-file", certs.Key, "--tls-auth-clients", "no")
	at := "rediss://127.0.0.1:" + port
	err := answers(t, resque.RedisConfig{URL: at})
	fault, ok := resque.Explain(err)
	require.True(t, ok, err)
	assert.Contains(t, fault.Advice, "--tls-skip-verify")
	require.NoError(t, answers(t, resque.RedisConfig{URL: at, TLSSkipVerify: true}))
	require.NoError(t, answers(t, resque.RedisConfig{URL: at, TLSCAFile: certs.Authority}))
	for _, cfg := range []resque.RedisConfig{
		{URL: at, TLSCAFile: "/nowhere"},
		{URL: at, TLSCAFile: certs.Key},
		{URL: "redis://h", TLSSkipVerify: true},
		{URL: "redis://h", TLSCAFile: certs.Authority},
	} {
		_, err := resque.Open(cfg)
		require.Error(t, err)
	}
}

func TestANumberBehindTheSlashIsANamespaceWithAWarning(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	rdb, err := resque.Open(resque.RedisConfig{URL: "localhost:6379/2", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	assert.Equal(t, "2", rdb.Namespace())
	assert.Contains(t, log.String(), "namespace=2")
}
