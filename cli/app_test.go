package cli_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

var (
	greeter = resque.Define1[string]("Greeter", "greetings")
	printer = resque.Define1[string]("Printer", "lines")
)

// chained has a job that enqueues another one.
func chained(_ context.Context, client *resque.Client) (*resque.Mux, error) {
	mux := resque.NewMux()
	mux.Handle(greeter.Handler(func(ctx context.Context, name string) error {
		_, err := client.Enqueue(ctx, printer.Job("hello "+name))
		return err
	}))
	return mux, nil
}

// firstOf returns the first element of a list.
func firstOf(t *testing.T, s *redistest.Server, key string) string {
	t.Helper()
	first, err := redis.String(s.Conn(t).Do("LINDEX", key, 0))
	require.NoError(t, err)
	return first
}

func runApp(t *testing.T, app cli.App, environ []string, args ...string) call {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := app.Run(t.Context(), args, environ, &stdout, &stderr)
	return call{status, stdout.String(), stderr.String()}
}

func TestHandlersEnqueueToTheRedisThatFlagsName(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	app := cli.App{Mux: chained}
	got := runApp(t, app, []string{"REDIS_URL=redis://127.0.0.1:1"}, "enqueue", "-r", s.URL, "-N", "other", "Greeter", "Ann")
	require.Equal(t, 0, got.status, got.stderr)
	got = runApp(t, app, []string{"RESQUE_NAMESPACE=other"}, "work", "-r", s.URL, "-q", "greetings", "-i", "0")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Equal(t, `{"class":"Printer","args":["hello Ann"]}`, firstOf(t, s, "other:queue:lines"))
}

func TestFlagsTakePrecedenceOverTheApp(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	started := 0
	app := cli.App{
		Mux:    chained,
		Redis:  resque.RedisConfig{URL: s.URL, Namespace: "app"},
		Client: resque.Config{JSON: resque.JSONRails},
		Worker: worker.Config{Queues: []string{"greetings"}, UntilEmpty: true, Hooks: worker.Hooks{
			BeforeFirstFork: func(context.Context) error {
				started++
				return nil
			},
		}},
	}
	got := runApp(t, app, nil, "enqueue", "Greeter", "<Ann>")
	require.Equal(t, 0, got.status, got.stderr)
	got = runApp(t, app, nil, "work")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Equal(t, 1, started)
	assert.Equal(t, `{"class":"Printer","args":["hello \u003cAnn\u003e"]}`, firstOf(t, s, "app:queue:lines"))

	got = runApp(t, app, []string{"QUEUE=other"}, "work", "-N", "empty", "-i", "0")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Contains(t, got.stderr, `"queues":["other"]`)
}

// A certificate can only be configured in Go.
func TestAppConfiguresTLS(t *testing.T) {
	t.Parallel()
	url, _ := redistest.StartTLS(t)
	app := cli.App{Redis: resque.RedisConfig{TLS: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // the test's server
	got := runApp(t, app, nil, "info", "-r", url)
	assert.Equal(t, 0, got.status, got.stderr)
}

func TestErrorsOfAppMuxEndTheCommand(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	for want, mux := range map[string]func(context.Context, *resque.Client) (*resque.Mux, error){
		"no database":                  func(context.Context, *resque.Client) (*resque.Mux, error) { return nil, errors.New("no database") },
		"cli: App.Mux returned no mux": func(context.Context, *resque.Client) (*resque.Mux, error) { return nil, nil }, //nolint:nilnil // the mistake
	} {
		for _, args := range [][]string{{"work", "-q", "a"}, {"enqueue", "-q", "a", "A"}} {
			got := runApp(t, cli.App{Mux: mux, Redis: patientRedis()}, []string{"REDIS_URL=" + s.URL}, args...)
			assert.Equal(t, 1, got.status, args)
			assert.Contains(t, got.stderr, want, args)
		}
	}
}
