package cli_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

func TestInfoShowsTheNamespaceThatAnAddressNames(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + strings.TrimPrefix(s.URL, "redis://") + "/2"}
	got := run(t, nil, environ, "info")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Regexp(t, `(?m)^namespace +2$`, got.stdout)
	assert.Contains(t, got.stderr, "write host:port:db for a database")
	var asked struct{ Namespace string }
	require.NoError(t, json.Unmarshal([]byte(run(t, nil, environ, "info", "--json").stdout), &asked))
	assert.Equal(t, "2", asked.Namespace)
}

func TestTLSFlags(t *testing.T) {
	t.Parallel()
	url, authority := redistest.StartTLS(t)
	away := run(t, nil, nil, "info", "-r", url)
	assert.Equal(t, 1, away.status)
	assert.Contains(t, away.stderr, "--tls-skip-verify")
	assert.NotContains(t, away.stderr, "Is it running?")
	for _, environ := range [][]string{{"RESQUE_TLS_SKIP_VERIFY=1"}, {"RESQUE_TLS_CA_FILE=" + authority}} {
		got := run(t, nil, environ, "info", "-r", url)
		assert.Equal(t, 0, got.status, got.stderr)
	}
	assert.Equal(t, 2, run(t, nil, nil, "info", "-r", "redis://h", "--tls-skip-verify").status)
}

func TestClientCertificateFlags(t *testing.T) {
	t.Parallel()
	url, certs := redistest.StartWantsClientCertificate(t)
	environ := []string{"REDIS_URL=" + url, "RESQUE_TLS_SKIP_VERIFY=1"}
	refused := run(t, nil, environ, "info")
	assert.Equal(t, 1, refused.status)
	assert.Contains(t, refused.stderr, "--tls-cert-file, --tls-key-file")
	pair := []string{"RESQUE_TLS_CERT_FILE=" + certs.Certificate, "RESQUE_TLS_KEY_FILE=" + certs.Key}
	got := run(t, nil, append(environ, pair...), "info")
	assert.Equal(t, 0, got.status, got.stderr)
	alone := run(t, nil, append(environ, pair[0]), "info")
	assert.Equal(t, 2, alone.status)
	assert.Contains(t, alone.stderr, "goresque info: RESQUE_TLS_CERT_FILE and RESQUE_TLS_KEY_FILE need each other: set both")
	flag := run(t, nil, environ, "info", "--tls-key-file", certs.Key)
	assert.Equal(t, 2, flag.status)
	assert.Contains(t, flag.stderr, "goresque info: --tls-cert-file and --tls-key-file need each other: set both")
}

// An error names the flag or the variable that has the wrong value, not the field of the config
// that it sets.
func TestErrorsOfConnectionSettingsNameWhatWasGiven(t *testing.T) {
	t.Parallel()
	_, certs := redistest.StartWantsClientCertificate(t)
	none := filepath.Join(t.TempDir(), "none.pem")
	for _, c := range []struct {
		environ, args []string
		want          string
	}{
		{nil, []string{"--tls-ca-file", none}, "--tls-ca-file: open " + none},
		{[]string{"RESQUE_TLS_CA_FILE=" + none}, nil, "RESQUE_TLS_CA_FILE: open " + none},
		{nil, []string{"--tls-ca-file", certs.Key}, "--tls-ca-file: " + certs.Key + " does not contain a PEM certificate"},
		{[]string{"RESQUE_TLS_KEY_FILE=" + none}, []string{"--tls-cert-file", certs.Certificate}, "RESQUE_TLS_KEY_FILE: open " + none},
		{nil, []string{"--tls-cert-file", none, "--tls-key-file", certs.Key}, "--tls-cert-file: open " + none},
		{nil, []string{"--tls-cert-file", certs.Key, "--tls-key-file", certs.Certificate}, "--tls-cert-file " + certs.Key + " and --tls-key-file " + certs.Certificate + ": tls: "},
		{[]string{"RESQUE_TLS_SKIP_VERIFY=1"}, []string{"-r", "redis://h"}, "RESQUE_TLS_SKIP_VERIFY needs TLS: use a rediss:// address"},
		{nil, []string{"-r", "redis://h", "--tls-ca-file", none}, "--tls-ca-file needs TLS"},
		{nil, []string{"--sentinel-password", "s3cret"}, "--sentinel-password needs Sentinels: use a redis-sentinel:// address"},
		{[]string{"REDIS_URL=localhost:0"}, nil, "REDIS_URL: not a Redis address: the port"},
		{nil, []string{"-r", "localhost:0"}, "--redis: not a Redis address: the port"},
	} {
		environ := append([]string{"REDIS_URL=rediss://127.0.0.1:1"}, c.environ...)
		for _, command := range [][]string{{"info"}, {"work", "-q", "a"}} {
			got := run(t, nil, environ, append(command, c.args...)...)
			assert.Equal(t, 2, got.status, "%s %s", c.environ, c.args)
			assert.Contains(t, got.stderr, "goresque "+command[0]+": "+c.want)
		}
	}
	named := cli.App{Redis: resque.RedisConfig{URL: "rediss://127.0.0.1:1", TLSCAFile: none}}
	var stderr bytes.Buffer
	assert.Equal(t, 2, named.Run(t.Context(), []string{"info"}, nil, &stderr, &stderr))
	assert.Contains(t, stderr.String(), "goresque info: TLSCAFile: open ", "the program has set it")
}

// The last line names the source of the address. A socket gets no advice on a host and a port.
func TestUnreachableRedisNamesTheSourceOfItsAddress(t *testing.T) {
	t.Parallel()
	socket := "unix://" + filepath.Join(t.TempDir(), "none.sock")
	for _, got := range []call{run(t, nil, []string{"REDIS_URL=" + socket}, "info"), run(t, nil, []string{"REDIS_URL=" + socket}, "failed", "list")} {
		assert.Equal(t, 1, got.status)
		assert.Contains(t, got.stderr, "No Redis listens on this unix socket. Start Redis with this path as its option unixsocket, or correct the path.")
		assert.Contains(t, got.stderr, "The address is from REDIS_URL.\n")
	}
	flag := run(t, nil, []string{"REDIS_URL=" + socket}, "info", "--redis", "127.0.0.1:1")
	assert.Contains(t, flag.stderr, "correct the host and the port.\nThe address is from --redis.\n")
	app := cli.App{Redis: resque.RedisConfig{URL: "127.0.0.1:1"}}
	var stderr bytes.Buffer
	assert.Equal(t, 1, app.Run(t.Context(), []string{"info"}, nil, &stderr, &stderr))
	assert.Contains(t, stderr.String(), "No address was given: set it with --redis or REDIS_URL.")
}

func TestSeveralServersInAnAddress(t *testing.T) {
	t.Parallel()
	braces := run(t, nil, nil, "info", "-r", "redis-cluster://h1,h2")
	assert.Equal(t, 2, braces.status)
	assert.Contains(t, braces.stderr, `use "{resque}" instead of "resque"`)
	name := run(t, nil, nil, "info", "-r", "redis-sentinel://h1,h2")
	assert.Equal(t, 2, name.status)
	assert.Contains(t, name.stderr, "the name of the master is missing")
	few := run(t, nil, nil, "work", "-q", "a", "--max-connections", "4")
	assert.Equal(t, 2, few.status)
	assert.Contains(t, few.stderr, "a worker needs at least 5")
}

// Each of the two passwords has its own flag.
func TestPasswordsOfSentinelAndRedis(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinels(t, 1)
	_, err := g.Sentinels[0].Conn(t).Do("CONFIG", "SET", "requirepass", "ours")
	if err != nil {
		_, err = g.Sentinels[0].Conn(t).Do("ACL", "SETUSER", "default", ">ours", "resetpass", ">ours")
	}
	require.NoError(t, err)
	environ := []string{"REDIS_URL=" + g.URL}
	refused := run(t, nil, environ, "info")
	assert.Equal(t, 1, refused.status)
	assert.Contains(t, refused.stderr, "Sentinel refused the user or the password. Sentinels have their own user and password")
	got := run(t, nil, append(environ, "RESQUE_SENTINEL_PASSWORD=ours"), "info")
	assert.Equal(t, 0, got.status, got.stderr)
	wrong := run(t, nil, []string{"REDIS_URL=" + strings.Replace(g.URL, "://", "://:guessed@", 1), "RESQUE_SENTINEL_PASSWORD=ours"}, "info")
	assert.Equal(t, 1, wrong.status)
	assert.Contains(t, wrong.stderr, "Redis refused the user or the password")
}
