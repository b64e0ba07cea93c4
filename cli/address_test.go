package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
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
	assert.Contains(t, alone.stderr, "TLSCertFile and TLSKeyFile need each other")
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
