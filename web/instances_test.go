package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/web"
)

func TestInstances(t *testing.T) {
	t.Parallel()
	shop, billing := redistest.Start(t), redistest.Start(t)
	for name, server := range map[string]*redistest.Server{"shopping": shop, "invoices": billing} {
		_, err := server.Conn(t).Do("SADD", "resque:queues", name)
		require.NoError(t, err)
	}
	all, err := web.NewInstances(
		web.Instance{Name: "shop", Client: shop.Client(t), Config: web.Config{Auth: web.AllowEveryone()}},
		web.Instance{Name: "billing", Client: billing.Client(t), Config: web.Config{Auth: web.BasicAuth("ann", "sesame")}},
	)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/a/resque/", http.StripPrefix("/a/resque", all))
	get := func(path string, headers ...string) answer { return ask(t, mux, http.MethodGet, path, "", headers...) }

	to := get("/a/resque/")
	assert.Equal(t, http.StatusSeeOther, to.Code)
	assert.Equal(t, "./shop/", to.Header().Get("Location"))
	assert.Equal(t, "./shop/", get("/a/resque/shop").Header().Get("Location"), "relative to the path without a slash")
	page := get("/a/resque/shop/queues").Body.String()
	assert.Contains(t, page, "shopping")
	assert.NotContains(t, page, "invoices")
	assert.Contains(t, links(t, page), "./../billing/overview")
	assert.Equal(t, http.StatusUnauthorized, get("/a/resque/billing/queues").Code, "each instance has its own rights")
	assert.Equal(t, http.StatusNotFound, get("/a/resque/other/queues").Code)
	assert.Equal(t, http.StatusOK, get("/a/resque/billing/healthz").Code)

	back := ask(t, mux, http.MethodPost, "/a/resque/shop/queues/shopping/pause", "back=queues", "Sec-Fetch-Site: same-origin")
	assert.Equal(t, http.StatusSeeOther, back.Code)
	paused, err := shop.Conn(t).Do("EXISTS", "resque:pause:queue:shopping")
	require.NoError(t, err)
	assert.EqualValues(t, 1, paused)

	// Every link of a page leads to a page.
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for _, link := range links(t, page) {
		if strings.Contains(link, "billing") || strings.Contains(link, "#") {
			continue
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/a/resque/shop/queues", http.NoBody)
		require.NoError(t, err)
		r.URL = r.URL.ResolveReference(parseURL(t, link))
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, http.StatusOK, res.StatusCode, "%s: %s", link, r.URL)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- all.Run(ctx) }()
	require.Eventually(t, func() bool { return strings.Contains(get("/a/resque/shop/queues").Body.String(), "data-stream") }, waitLong, tick)
	cancel()
	require.NoError(t, <-ended)
}

func TestInstancesReportEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := web.NewInstances()
	require.Error(t, err)
	client := redistest.Start(t).Client(t)
	good := web.Config{Auth: web.AllowEveryone()}
	_, err = web.NewInstances(
		web.Instance{Name: "a/b", Client: client, Config: good}, web.Instance{Name: "", Client: client, Config: good}, web.Instance{Name: "..", Client: client, Config: good},
		web.Instance{Name: "x", Client: client, Config: good}, web.Instance{Name: "x", Client: client, Config: good},
		web.Instance{Name: "y", Client: client}, web.Instance{Name: "z", Config: good},
	)
	for _, want := range []string{`"a/b"`, `""`, `".."`, `two instances have the name "x"`, "instance y: web: Auth is not set", "instance z: web: the client is nil"} {
		require.ErrorContains(t, err, want)
	}
}

func parseURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}
