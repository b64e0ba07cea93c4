package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/goresque/goresque/demo/command"
	"github.com/goresque/goresque/demo/customers"
	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/status"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/resque/scheduler"
	"github.com/goresque/goresque/worker"
)

// patience is how long a test waits for an event. Only a failing test waits so long.
const patience = time.Minute

// fixture is the web app with its Redis and database, and an HTTP client.
type fixture struct {
	redis   *embedded.Server
	away    bool // redis is closed
	client  *resque.Client
	exports exports
	app     *webApp
	cfg     webConfig
	web     *httptest.Server
	http    *http.Client                      // keeps cookies, follows no redirects
	onQuery atomic.Pointer[func(tx *gorm.DB)] // called after each query and insert
}

func setUp(t *testing.T, rows int, seconds float64) *fixture {
	t.Helper()
	return setUpWith(t, webConfig{rows: rows, seconds: seconds, lost: 2 * time.Second, lookEvery: 10 * time.Millisecond})
}

func setUpWith(t *testing.T, cfg webConfig) *fixture {
	t.Helper()
	f := &fixture{exports: testDatabase(t, filepath.Join(t.TempDir(), "demo.sqlite3"), cfg.rows)}
	// gorm's callbacks can be registered only while no other goroutine uses them.
	hook := func(tx *gorm.DB) {
		if fn := f.onQuery.Load(); fn != nil {
			(*fn)(tx)
		}
	}
	require.NoError(t, f.exports.db.Callback().Query().After("gorm:after_query").Register("test", hook))
	require.NoError(t, f.exports.db.Callback().Create().After("gorm:after_create").Register("test", hook))
	var err error
	f.redis, err = embedded.Start("")
	require.NoError(t, err)
	t.Cleanup(func() { f.redis.Close() })
	f.client = testClient(t, f.redis.URL())

	cfg.log, cfg.wait = quiet(), patience
	f.cfg = cfg
	f.app, err = newWebApp(f.exports.db, f.client, cfg)
	require.NoError(t, err)
	f.web = httptest.NewServer(f.app)
	t.Cleanup(f.web.Close)
	runUntilEnd(t, f.app.run) // it ends before f.web is closed, and ends the requests that wait
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	f.http = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return f
}

func testDatabase(t *testing.T, path string, rows int) exports {
	t.Helper()
	db, err := database.Open(t.Context(), database.Location{Path: path}, models()...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, customers.Seed(t.Context(), db, rows))
	return exports{db}
}

func testClient(t *testing.T, url string) *resque.Client {
	t.Helper()
	rdb, err := resque.Open(resque.RedisConfig{URL: url, DialTimeout: patience, ReadTimeout: patience})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rdb.Close()) })
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	return client
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// work runs a worker until the test ends.
func (f *fixture) work(t *testing.T) {
	t.Helper()
	w, err := worker.New(f.client, newMux(f.exports), worker.Config{
		Queues: []string{"exports"}, PollInterval: 10 * time.Millisecond, Logger: quiet(),
	})
	require.NoError(t, err)
	runUntilEnd(t, w.Run)
}

// runScheduler runs a scheduler until the test ends.
func (f *fixture) runScheduler(t *testing.T) {
	t.Helper()
	s, err := scheduler.New(f.client, scheduler.Config{Interval: 50 * time.Millisecond, Dynamic: true, Logger: quiet()})
	require.NoError(t, err)
	runUntilEnd(t, s.Run)
}

func runUntilEnd(t *testing.T, run command.Part) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

// add stores an export without a token and without a job.
func (x exports) add(ctx context.Context, rows int, seconds float64) (*Export, error) {
	e := &Export{Record: record.Record{Seconds: seconds, Total: rows}, Rows: rows}
	err := x.db.Alone(ctx, func(tx *gorm.DB) error {
		e.ID = 0
		return tx.Create(e).Error
	})
	e.In(x.db)
	return e, err
}

// relayed waits until the relay has enqueued all jobs, unless Redis is away.
func (f *fixture) relayed(t *testing.T) {
	t.Helper()
	if f.away {
		return
	}
	require.Eventually(t, func() bool {
		var n int64
		return f.exports.db.Raw("SELECT count(*) FROM goresque_outbox").Scan(&n).Error == nil && n == 0
	}, patience, time.Millisecond)
}

// reset empties the database, as another demo with --reset does.
func (f *fixture) reset(t *testing.T) {
	t.Helper()
	db, err := database.Reset(t.Context(), f.exports.db.At, models()...)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// begin starts a run of an export and stops it in the middle. goOn lets the run
// continue and waits for its end.
func begin(t *testing.T, e *Export) (goOn func() error) {
	t.Helper()
	begun, released, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- e.Perform(t.Context(), e.Rows, func(ctx context.Context, file *record.Draft) error {
			close(begun)
			<-released
			_, _ = file.Write([]byte("late"))
			return file.Rows(ctx, 1)
		})
	}()
	select {
	case <-begun:
	case err := <-ended:
		require.Fail(t, "the run did not start", "%v", err)
	}
	goOn = sync.OnceValue(func() error {
		close(released)
		return <-ended
	})
	t.Cleanup(func() { _ = goOn() })
	return goOn
}

var errNotReady = errors.New("not ready")

// file returns the file of an export, or errNotReady.
func (e *Export) file(ctx context.Context) ([]byte, error) {
	if err := e.DB().WithContext(ctx).Take(e, e.ID).Error; err != nil {
		return nil, err
	}
	if e.State != record.Ready {
		return nil, errNotReady
	}
	data, err := io.ReadAll(e.Open(ctx, func() {}))
	if errors.Is(err, record.ErrFileGone) {
		return nil, errNotReady
	}
	return data, err
}

// workOff performs all queued jobs.
func (f *fixture) workOff(t *testing.T) {
	t.Helper()
	w, err := worker.New(f.client, newMux(f.exports), worker.Config{Queues: []string{"exports"}, UntilEmpty: true, Logger: quiet()})
	require.NoError(t, err)
	require.NoError(t, w.Run(t.Context()))
}

// answer is a response with its body.
type answer struct {
	*http.Response
	body string
}

func (f *fixture) do(t *testing.T, method, path string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.web.URL+path, nil)
	require.NoError(t, err)
	return f.send(t, req, header...)
}

func (f *fixture) send(t *testing.T, req *http.Request, header ...string) answer {
	t.Helper()
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := f.http.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if req.Method == http.MethodPost {
		f.relayed(t)
	}
	return answer{resp, string(body)}
}

// form sends a form with one field.
func (f *fixture) form(t *testing.T, path, name, value string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.web.URL+path, strings.NewReader(url.Values{name: {value}}.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return f.send(t, req, header...)
}

func (f *fixture) json(t *testing.T, path string) status.JSON {
	t.Helper()
	got := f.do(t, http.MethodGet, path, "Accept", "application/json")
	require.Equal(t, http.StatusOK, got.StatusCode, got.body)
	var e status.JSON
	require.NoError(t, json.Unmarshal([]byte(got.body), &e))
	return e
}

// failures returns the failures in Resque's failed list.
func (f *fixture) failures(t *testing.T) []map[string]any {
	t.Helper()
	c, err := f.client.Redis().Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	reply, err := c.Do("LRANGE", f.client.Redis().Key("failed"), 0, -1)
	require.NoError(t, err)
	var failures []map[string]any
	for _, raw := range reply.([]any) {
		var failure map[string]any
		require.NoError(t, json.Unmarshal(raw.([]byte), &failure))
		failures = append(failures, failure)
	}
	return failures
}

// wantCSV returns the file of the first n customers. It quotes cells as RFC 4180
// says, without encoding/csv.
func wantCSV(n int) string {
	var b strings.Builder
	b.WriteString("id,name,email,city,note,customer since\n")
	for id := int64(1); id <= int64(n); id++ {
		for i, cell := range customers.New(id).Line() {
			if i > 0 {
				b.WriteByte(',')
			}
			if strings.ContainsAny(cell, "\",\r\n") || strings.HasPrefix(cell, " ") {
				cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
			}
			b.WriteString(cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// output collects the output of a command that runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
