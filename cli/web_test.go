package cli_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// said collects the output of a command while it runs.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// dashboard runs goresque web until the test ends, and returns its address and its
// output.
func dashboard(t *testing.T, vars []string, args ...string) (url string, out *said) {
	t.Helper()
	out = &said{}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan int, 1)
	go func() {
		ended <- cli.App{Redis: patientRedis()}.Run(ctx, append([]string{"web", "--addr", "127.0.0.1:0"}, args...), vars, out, out)
	}()
	t.Cleanup(func() {
		cancel()
		assert.Zero(t, <-ended)
	})
	at := regexp.MustCompile(`is at (http://\S+/)`)
	require.Eventually(t, func() bool { return at.MatchString(out.String()) }, time.Minute, 5*time.Millisecond, "%s", out)
	return at.FindStringSubmatch(out.String())[1], out
}

func visit(t *testing.T, method, url string, change func(*http.Request)) (status int, page string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	require.NoError(t, err)
	if change != nil {
		change(req)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

func TestWebWithAOneTimePassword(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	url, out := dashboard(t, []string{"REDIS_URL=" + server.URL}, "--title", "Shop")
	status, _ := visit(t, http.MethodGet, url+"overview", nil)
	assert.Equal(t, http.StatusUnauthorized, status)
	words := regexp.MustCompile(`Sign in as (\S+) with the password ([a-z0-9]{20})\.`).FindStringSubmatch(out.String())
	require.NotNil(t, words, out.String())
	signIn := func(r *http.Request) { r.SetBasicAuth(words[1], words[2]) }
	status, page := visit(t, http.MethodGet, url+"overview", signIn)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "Shop")
	status, _ = visit(t, http.MethodPost, url+"queues/x/pause", signIn)
	assert.Equal(t, http.StatusSeeOther, status)
	status, _ = visit(t, http.MethodGet, url+"overview", func(r *http.Request) { signIn(r); r.Host = "evil.example" })
	assert.Equal(t, http.StatusMisdirectedRequest, status, "another name for loopback")
}

func TestWebListensOnPort(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	_, port, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	got := run(t, nil, []string{"REDIS_URL=" + s.URL, "PORT=" + port}, "web")
	assert.Equal(t, 1, got.status, got.stderr)
	assert.Contains(t, got.stderr, "127.0.0.1:"+port, "it is taken")
}

func TestWebWithAPasswordAndReadOnly(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	vars := []string{"REDIS_URL=" + server.URL, "RESQUE_WEB_USER=ann", "RESQUE_WEB_PASSWORD=sesame", "RESQUE_WEB_READ_ONLY=1"}
	url, out := dashboard(t, vars)
	assert.NotContains(t, out.String(), "sesame")
	signIn := func(r *http.Request) { r.SetBasicAuth("ann", "sesame") }
	status, _ := visit(t, http.MethodGet, url, signIn)
	assert.Equal(t, http.StatusOK, status)
	status, _ = visit(t, http.MethodPost, url+"queues/x/pause", signIn)
	assert.Equal(t, http.StatusForbidden, status)

	url, _ = dashboard(t, []string{"REDIS_URL=" + server.URL}, "--no-auth")
	status, _ = visit(t, http.MethodGet, url, nil)
	assert.Equal(t, http.StatusOK, status)
}

func TestWebShowsNoSecrets(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	_, err := server.Client(t).Enqueue(t.Context(), resque.Job{Queue: "q", Class: "A", Args: []any{map[string]string{"token": "s3cret", "name": "ann"}}})
	require.NoError(t, err)
	for flag, shown := range map[string][2]bool{"": {true, true}, "--redact=token": {false, true}, "--hide-args": {false, false}} {
		args := []string{"--no-auth"}
		if flag != "" {
			args = append(args, flag)
		}
		url, _ := dashboard(t, []string{"REDIS_URL=" + server.URL}, args...)
		_, page := visit(t, http.MethodGet, url+"queues/q", nil)
		assert.Equal(t, shown, [2]bool{strings.Contains(page, "s3cret"), strings.Contains(page, "ann")}, "%q", flag)
	}
}

func TestWebRefusesToBeOpenToOtherMachines(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for _, args := range [][]string{{"--addr", "0.0.0.0:0"}, {"--addr", ":0"}, {"--addr", "0.0.0.0:0", "--no-auth"}} {
		got := run(t, nil, []string{"REDIS_URL=" + server.URL}, append([]string{"web"}, args...)...)
		assert.Equal(t, 2, got.status, "%v", args)
		assert.Contains(t, got.stderr, "other machines can reach")
		assert.Equal(t, slices.Contains(args, "--no-auth"), strings.Contains(got.stderr, "--no-auth is refused"), got.stderr)
	}
	got := run(t, nil, []string{"REDIS_URL=" + server.URL, "RESQUE_WEB_PASSWORD=sesame"}, "web", "--addr", "0.0.0.0:0", "--no-auth")
	assert.Equal(t, 2, got.status, "a password together with --no-auth: %s", got.stderr)
	got = run(t, nil, []string{"REDIS_URL=" + server.URL}, "web", "--addr", "nonsense")
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, "choose another address")
}

// An open page's stream of changes does not delay the stop of the command, which ends it.
func TestWebEndsStreamsWhenItStops(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var stream io.ReadCloser
	t.Cleanup(func() { // after the command has ended
		rest, err := io.ReadAll(stream)
		assert.NoError(t, err, "the stream was cut off")
		assert.Contains(t, string(rest), "event: changed")
		assert.NoError(t, stream.Close())
	})
	url, _ := dashboard(t, []string{"REDIS_URL=" + server.URL}, "--no-auth")
	require.Eventually(t, func() bool { // the dashboard runs soon after it listens
		ctx := context.WithoutCancel(t.Context()) // the stream ends after the test does
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"events", http.NoBody)
		require.NoError(t, err)
		res, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		stream = res.Body
		if res.StatusCode != http.StatusOK {
			require.NoError(t, res.Body.Close())
		}
		return res.StatusCode == http.StatusOK
	}, time.Minute, 5*time.Millisecond)
}

// An address that cannot be used is not explained as a fault of Redis.
func TestAddressesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	taken := strings.TrimPrefix(s.URL, "redis://")
	for flag, args := range map[string][]string{
		"--addr":                   {"web", "--addr", taken},
		"--health (RESQUE_HEALTH)": {"work", "-q", "a", "--health", taken},
	} {
		got := run(t, nil, []string{"REDIS_URL=" + s.URL}, args...)
		assert.Equal(t, 1, got.status, got.stderr)
		assert.Contains(t, got.stderr, "address already in use; choose another address with "+flag+"\n")
		assert.NotContains(t, got.stderr, "Redis")
	}
	got := run(t, nil, []string{"REDIS_URL=" + s.URL}, "web", "--addr", "nohost.invalid:1")
	assert.Contains(t, got.stderr, "choose another address with --addr\n")
	assert.NotContains(t, got.stderr, "The host name of Redis")
}

func TestWebShowsSeveralInstances(t *testing.T) {
	t.Parallel()
	server, other := redistest.Start(t), redistest.Start(t)
	_, err := other.Conn(t).Do("SADD", "jobs:queues", "invoices")
	require.NoError(t, err)
	vars := []string{"REDIS_URL=" + server.URL}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out, ended := &said{}, make(chan int, 1)
	go func() {
		ended <- cli.App{}.Run(ctx, []string{"web", "--addr", "127.0.0.1:0", "--no-auth", "--instance", "billing=" + other.URL + "?namespace=jobs"}, vars, out, out)
	}()
	t.Cleanup(func() {
		cancel()
		assert.Zero(t, <-ended)
	})
	at := regexp.MustCompile(`of 2 instances is at (http://\S+/)`)
	require.Eventually(t, func() bool { return at.MatchString(out.String()) }, time.Minute, 5*time.Millisecond, "%s", out)
	url := at.FindStringSubmatch(out.String())[1]
	status, page := visit(t, http.MethodGet, url+"billing/queues", nil)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "invoices")
	_, page = visit(t, http.MethodGet, url+"main/queues", nil)
	assert.NotContains(t, page, "invoices")

	for wrong, want := range map[string]string{
		"billing":            `--instance "billing": want NAME=URL`,
		"=redis://x":         `--instance "=redis://x": want NAME=URL`,
		"a b=" + other.URL:   `invalid name of an instance "a b"`,
		"main=" + other.URL:  `two instances have the name "main"`,
		"billing=http://a":   "--instance billing: not a Redis address",
		"billing=redis://:x": "--instance billing: not a Redis address",
	} {
		got := run(t, nil, vars, "web", "--addr", "127.0.0.1:0", "--no-auth", "--instance", wrong)
		assert.Equal(t, 2, got.status, "%s: %s", wrong, got.stderr)
		assert.Contains(t, got.stderr, "goresque web: "+want)
	}
	got := run(t, nil, vars, "web", "--addr", "127.0.0.1:0", "--instance", "billing=redis://:wrong@"+strings.TrimPrefix(other.URL, "redis://"))
	assert.Equal(t, 1, got.status, "a password that the other Redis refuses: %s", got.stderr)
	assert.Contains(t, got.stderr, "goresque web: --instance billing: ")
	assert.Contains(t, got.stderr, "The address is from --instance.\n")
	assert.NotContains(t, got.stdout, "Sign in", "no password is shown before it can be used")
}
