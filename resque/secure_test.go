package resque_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// answers opens cfg and enqueues a job there.
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
