package demo

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

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

// The dashboard shows how far an export is, and can kill its job.
func TestDashboardShowsTheProgressOfExports(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "demo", "--temp", "--rows", "1000", "--seconds", "150", "--addr", "127.0.0.1:0")
	dashboard := regexp.MustCompile(`Dashboard +(http://\S+)`).FindStringSubmatch(r.stdout.String())[1]
	app := strings.TrimSuffix(dashboard, "/resque/")
	code, _ := visit(t, http.MethodPost, app+"/exports")
	require.Equal(t, http.StatusSeeOther, code)
	bar := regexp.MustCompile(`<progress max="100" value="[1-9][\s\S]*statuses/([0-9a-f]{32})"[\s\S]*writing the file`)
	var id string
	require.Eventually(t, func() bool {
		_, page := visit(t, http.MethodGet, dashboard+"working")
		if found := bar.FindStringSubmatch(page); found != nil {
			id = found[1]
		}
		return id != ""
	}, patience, 50*time.Millisecond)
	_, page := visit(t, http.MethodGet, dashboard+"statuses")
	assert.Contains(t, page, "Exporter")
	assert.Contains(t, page, "of 1,000")
	code, _ = visit(t, http.MethodPost, dashboard+"statuses/"+id+"/kill?sure=1")
	assert.Equal(t, http.StatusOK, code, "it asks: a form has sure")
	res, err := http.PostForm(dashboard+"statuses/"+id+"/kill", url.Values{"sure": {"1"}}) //nolint:gosec // our own
	require.NoError(t, err)
	res.Body.Close()
	require.Eventually(t, func() bool {
		_, page := visit(t, http.MethodGet, dashboard+"statuses/"+id)
		return strings.Contains(page, "killed")
	}, patience, 50*time.Millisecond)
	_, page = visit(t, http.MethodGet, app+"/exports/1")
	assert.Contains(t, page, "Try again", "the visitor sees that it has failed")
	assert.Zero(t, r.stop())
}
