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
