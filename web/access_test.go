package web_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/web"
)

// unreached is a client whose Redis gets no command.
func unreached(t *testing.T) *resque.Client {
	t.Helper()
	rdb, err := resque.Open(resque.RedisConfig{URL: "localhost:1"})
	require.NoError(t, err)
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	return client
}

func TestNewRefusesAnAuthThatCannotWork(t *testing.T) {
	t.Parallel()
	allow := web.AllowEveryone()
	for name, c := range map[string]struct {
		auth web.Auth
		says []string
	}{
		"no password":          {web.BasicAuth("ops", ""), []string{"empty password"}},
		"no user, no password": {web.BasicAuth("", ""), []string{"empty user", "empty password"}},
		"a user with a colon":  {web.BasicAuth("a:b", "x"), []string{`user "a:b"`}},
		"within ReadOnlyFor":   {web.ReadOnlyFor(web.BasicAuth("ops", "")), []string{"empty password"}},
		"ReadOnlyFor nothing":  {web.ReadOnlyFor(nil), []string{"Auth is not set"}},
		"a nil function":       {web.AuthFunc(nil), []string{"nil AuthFunc"}},
		"unknown rights":       {web.DenyFor(allow, web.RightBulk, "bluk", "Retry"), []string{`"bluk"`, `"Retry"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := web.New(unreached(t), web.Config{Auth: c.auth, PerPage: -1, TrustedOrigins: []string{"no origin"}})
			require.Error(t, err)
			for _, says := range append(c.says, "PerPage", "trusted origin") {
				assert.ErrorContains(t, err, says, "together with the other mistakes")
			}
		})
	}
	_, err := web.New(unreached(t), web.Config{Auth: web.DenyFor(web.BasicAuth("ops", "sesame"), web.RightBulk)})
	assert.NoError(t, err)
}

func TestDenyForTakesRights(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Auth: web.DenyFor(web.AllowEveryone(), web.RightPause)})
	assert.Equal(t, http.StatusForbidden, s.post("/queues/exports/pause", "").Code)
	assert.Equal(t, http.StatusSeeOther, s.post("/queues/exports/clear", "sure=1").Code)
}

// An unknown right would otherwise deny nothing.
func TestUnknownRightRefusesTheRequest(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Auth: web.AuthFunc(func(*http.Request) (web.Access, error) {
		return web.Access{User: "ann", Level: web.Write, Deny: []web.Right{"bluk"}}, nil
	})})
	s.failures(1)
	assert.Equal(t, http.StatusInternalServerError, s.get("/failed").Code)
	assert.Equal(t, http.StatusInternalServerError, s.post("/failed/clear", "sure=1").Code)
	assert.Len(t, s.list("resque:failed"), 1)
}

const (
	signedIn = "Authorization: Basic b3BzOnNlc2FtZQ==" // ops:sesame
	guessed  = "Authorization: Basic b3BzOmd1ZXNzZWQ=" // ops:guessed
)

// A failed sign-in is answered late and logged. While many such answers wait, other
// unknown credentials are refused without a check, and credentials that were accepted
// before are accepted.
func TestFailedSignInsAreSlowAndLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		dashboard, err := web.New(unreached(t), web.Config{
			Auth: web.BasicAuth("ops", "sesame"), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		require.NoError(t, err)
		get := func(header string) int { return ask(t, dashboard, http.MethodGet, "/openapi.json", "", header).Code }
		begun := time.Now()
		require.Equal(t, http.StatusOK, get(signedIn))
		require.Equal(t, http.StatusUnauthorized, ask(t, dashboard, http.MethodGet, "/openapi.json", "").Code)
		require.Zero(t, time.Since(begun), "neither is delayed")
		require.Empty(t, log.String(), "a request without a password is not a failed sign-in")

		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { assert.Equal(t, http.StatusUnauthorized, get(guessed)) })
		}
		synctest.Wait() // all answers are waiting
		require.Equal(t, http.StatusTooManyRequests, get(guessed), "one more")
		require.Equal(t, http.StatusOK, get(signedIn), "known before")
		require.Zero(t, time.Since(begun))
		all.Wait()
		require.Equal(t, time.Second, time.Since(begun))
		require.Equal(t, http.StatusUnauthorized, get(guessed), "no answer is waiting any more")
		require.Equal(t, 21, strings.Count(log.String(), "dashboard sign-in failed"))
		require.Contains(t, log.String(), "user=ops")
		require.NotContains(t, log.String(), "guessed")
		require.NotContains(t, log.String(), "b3Bz")
	})
}

// A form that is too large changes nothing, in either encoding.
func TestLargeFormsDoNotAct(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(1)
	large := strings.Repeat("x", 20<<20)
	multipart := "--b\r\nContent-Disposition: form-data; name=\"sure\"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n" + large + "\r\n--b--\r\n"
	for kind, form := range map[string]string{
		"application/x-www-form-urlencoded": "sure=1&x=" + large,
		"multipart/form-data; boundary=b":   multipart,
		"text/plain":                        large,
	} {
		for _, path := range []string{"/queues/exports/pause", "/failed/clear", "/settings"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://example.com"+path, strings.NewReader(form))
			require.NoError(t, err)
			r.Header.Set("Content-Type", kind)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Accept", "application/json")
			a := serve(s.dashboard, r)
			assert.Equal(t, http.StatusRequestEntityTooLarge, a.Code, "%s %s", kind, path)
			assert.Contains(t, a.Body.String(), `"code":"form-too-large"`)
		}
	}
	assert.Len(t, s.list("resque:failed"), 1)
	assert.EqualValues(t, 0, s.do("EXISTS", "resque:pause:queue:exports"))
}

// Behind a proxy that changes Host, every form is refused, and the page
// explains what to configure.
func TestARefusedOriginSaysWhatToSet(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	a := s.ask(http.MethodPost, "/queues/exports/pause", "", "Origin: https://jobs.example.com", "Host: 127.0.0.1:5678", "Accept: application/json")
	require.Equal(t, http.StatusForbidden, a.Code)
	told := a.told(t)
	assert.Equal(t, "other-origin", told["code"])
	for _, says := range []string{"https://jobs.example.com", "127.0.0.1:5678", "TrustedOrigins", "--trusted-origin https://jobs.example.com"} {
		assert.Contains(t, told["detail"], says)
	}
}
