package demo

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDashboardRightsDependOnAddressAndPassword(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vars          []string
		args          []string
		status, write int
	}{
		"on loopback":                       {nil, []string{"--addr", "127.0.0.1:0"}, 200, 303},
		"on all addresses":                  {nil, []string{"--addr", "0.0.0.0:0"}, 200, 403},
		"on all addresses, with a password": {[]string{"RESQUE_WEB_PASSWORD=sesame"}, []string{"--addr", "0.0.0.0:0"}, 401, 401},
		"on loopback, with a password":      {[]string{"RESQUE_WEB_PASSWORD=sesame"}, []string{"--addr", "127.0.0.1:0"}, 401, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, c.vars, append([]string{"demo", "--temp", "--rows", "10", "--no-worker"}, c.args...)...)
			at := regexp.MustCompile(`Dashboard +(http://\S+)`).FindStringSubmatch(r.stdout.String())
			require.NotNil(t, at, r.stdout.String())
			assert.True(t, strings.HasSuffix(at[1], "/resque/"))
			status, page := visit(t, http.MethodGet, at[1]+"overview")
			assert.Equal(t, c.status, status)
			if status == http.StatusOK {
				assert.Contains(t, page, `href="/exports"`)
			}
			status, _ = visit(t, http.MethodPost, at[1]+"queues/a%2Fb/pause")
			assert.Equal(t, c.write, status)
			status, page = visit(t, http.MethodGet, strings.TrimSuffix(at[1], "/resque/")+"/exports")
			assert.Equal(t, http.StatusOK, status)
			assert.Contains(t, page, `href="/resque/"`)
			status, _ = visit(t, http.MethodGet, strings.TrimSuffix(at[1], "/"))
			assert.Equal(t, http.StatusSeeOther, status, "/resque without the slash")
			assert.Zero(t, r.stop())
		})
	}
}

func visit(t *testing.T, method, url string) (status int, page string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	require.NoError(t, err)
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}
