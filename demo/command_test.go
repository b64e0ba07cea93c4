package demo

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/resque/embedded"
)

// running is a goresque demo that runs in this process.
type running struct {
	stdout, stderr *output
	stop           func() int // stops it and returns the exit status
}

// start runs goresque with args and the environment vars.
func start(t *testing.T, vars []string, args ...string) *running {
	t.Helper()
	r := &running{stdout: &output{}, stderr: &output{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan int, 1)
	go func() { ended <- app(vars).Run(ctx, args, vars, r.stdout, r.stderr) }()
	status, once := 0, false
	r.stop = func() int {
		cancel()
		if !once {
			status, once = <-ended, true
		}
		return status
	}
	t.Cleanup(func() { r.stop() })
	require.Eventually(t, func() bool { return strings.Contains(r.stdout.String(), "Stop with Ctrl-C") }, patience, 5*time.Millisecond,
		"stderr: %s", r.stderr)
	return r
}

// fails runs goresque, which must exit by itself.
func fails(t *testing.T, vars []string, args ...string) (status int, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs output
	status = app(vars).Run(ctx, args, vars, &out, &errs)
	require.NoError(t, ctx.Err(), "it did not exit by itself; stdout: %s", &out)
	return status, errs.String()
}

func app(vars []string) cli.App {
	return App(func(name string) string {
		for _, v := range vars {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	})
}

// said returns the text after a word on the screen.
func (r *running) said(t *testing.T, word string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^\s*` + word + `\s+(\S+)`).FindStringSubmatch(r.stdout.String())
	require.NotNil(t, found, "%q is not on the screen: %s", word, r.stdout)
	return found[1]
}

func TestDemoBuildsAnExportAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "demo", "--temp", "--addr", "127.0.0.1:0", "--seconds", "0.1", "--rows", "50")
	url, database := r.said(t, "Open"), r.said(t, "Database")
	resp, err := http.Post(url, "", nil) //nolint:gosec // our own
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode, "after the redirect to the index: %s", body)

	require.Eventually(t, func() bool {
		resp, err := http.Get(url + "/1/download")
		if err != nil || resp.StatusCode != http.StatusOK {
			return false
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return err == nil && string(body) == wantCSV(50)
	}, patience, 20*time.Millisecond, "stderr: %s", r.stderr)

	assert.FileExists(t, database)
	assert.Equal(t, 0, r.stop(), "stderr: %s", r.stderr)
	assert.NoDirExists(t, filepath.Dir(database))
	assert.Contains(t, r.stdout.String(), "Stopping")
}

func TestDemoBuildsAScheduledExportAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	vars := []string{"PORT=0"}
	r := start(t, vars, "demo", "--data", dir, "--rows", "5", "--seconds", "0")
	resp, err := http.PostForm(r.said(t, "Open"), url.Values{"when": {"later"}})
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, 0, r.stop(), "stderr: %s", r.stderr)

	db := testDatabase(t, filepath.Join(dir, "demo.sqlite3"), 5)
	e, err := db.find(t.Context(), 1)
	require.NoError(t, err)
	if e.State == record.Scheduled { // unless this took 30 s
		require.NoError(t, db.db.Model(e).Update("due_at", time.Now().Add(-time.Second)).Error)
	}
	r = start(t, vars, "demo", "--data", dir, "--rows", "5", "--seconds", "0")
	require.Eventually(t, func() bool {
		e, err := db.find(t.Context(), 1)
		return err == nil && e.State == record.Ready
	}, patience, 20*time.Millisecond, "stderr: %s", r.stderr)
	assert.Equal(t, 0, r.stop())
}

func TestScreenShowsHowToJoinIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, []string{"PORT=0"}, "demo", "--data", dir, "--no-worker", "--rows", "5", "-N", "my:ns")
	redis := r.said(t, "Redis")
	for _, want := range []string{
		"  Open       http://127.0.0.1:",
		"(embedded",
		"  Workers    none",
		"  REDIS_URL=" + redis + " RESQUE_NAMESPACE=my:ns DATABASE_URL=sqlite:" + filepath.Join(dir, "demo.sqlite3") + " DYNAMIC_SCHEDULE=1 QUEUE=exports goresque work --scheduler\n",
		" goresque enqueue -q exports Exporter 1\n",
		`ruby -r resque -e 'Resque.redis = "` + redis + `"; Resque.redis.namespace = "my:ns"; module Exporter; @queue = :exports; end; Resque.enqueue Exporter, 1'`,
		"Ctrl-C",
	} {
		assert.Contains(t, r.stdout.String(), want)
	}
	assert.LessOrEqual(t, strings.Count(r.stdout.String(), "\n"), 24, "lines of a terminal")
	assert.Equal(t, 0, r.stop())
}

func TestDemoUsesRedisURLAndDatabaseURL(t *testing.T) {
	t.Parallel()
	redis, err := embedded.Start("")
	require.NoError(t, err)
	t.Cleanup(redis.Close)
	path := filepath.Join(t.TempDir(), "it's mine", "own.db")
	vars := []string{"REDIS_URL=" + redis.URL(), "DATABASE_URL=sqlite://" + path, "PORT=0"}

	r := start(t, vars, "demo", "--no-worker", "--rows", "5", "--seconds", "0")
	assert.Equal(t, redis.URL(), r.said(t, "Redis"))
	assert.NotContains(t, r.stdout.String(), "embedded")
	assert.Contains(t, r.stdout.String(), `DATABASE_URL='sqlite:`+strings.ReplaceAll(path, "'", `'\''`)+`'`)
	resp, err := http.Post(r.said(t, "Open"), "", nil) //nolint:gosec // our own
	require.NoError(t, err)
	resp.Body.Close()
	client := testClient(t, redis.URL())
	require.Eventually(t, func() bool {
		size, err := client.Size(t.Context(), "exports")
		return err == nil && size == 1
	}, patience, time.Millisecond)

	status, stderr := fails(t, vars, "work", "--queue", "exports", "--interval", "0")
	require.Equal(t, 0, status, stderr)
	db := testDatabase(t, path, 0)
	e, err := db.find(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, record.Ready, e.State)
	assert.Equal(t, 0, r.stop())
}

func TestDemoMarksExportsOfAnEarlierDemoAsFailed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := testDatabase(t, filepath.Join(dir, "demo.sqlite3"), 1)
	_, err := db.add(t.Context(), 1, 0) // its job was in the Redis of the earlier demo
	require.NoError(t, err)
	r := start(t, nil, "demo", "--data", dir, "--rows", "1", "--addr", "0", "--no-worker")
	e, err := db.find(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, record.Failed, e.State)
	assert.Equal(t, 0, r.stop())
}

func TestDemoRefusesToStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { taken.Close() })
	_, port, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))

	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("not a database\n", 1000)), 0o600))

	free := "--addr=0"
	for name, c := range map[string]struct {
		vars   []string
		args   []string
		status int
		want   []string
	}{
		"port taken": {[]string{"PORT=" + port}, []string{"--temp"}, 1, []string{"127.0.0.1:" + port, "PORT", "--addr"}},
		"redis away": {
			[]string{"REDIS_URL=redis://ann:secret@127.0.0.1:1/3"},
			[]string{"--temp", free},
			1,
			[]string{"127.0.0.1:1", "redis-server", "REDIS_URL"},
		},
		"a database of another kind": {
			[]string{"DATABASE_URL=mysql2://ann:secret@host/db"},
			[]string{free},
			1,
			[]string{"mysql2 is not supported", "sqlite:PATH", "postgres://"},
		},
		"postgres away": {
			[]string{"DATABASE_URL=postgres://ann:secret@127.0.0.1:1/db"},
			[]string{free},
			1,
			[]string{"postgres://ann:xxxxx@127.0.0.1:1/db", "Is it running? Start PostgreSQL", "DATABASE_URL"},
		},
		"not an SQLite file":          {[]string{"DATABASE_URL=" + text}, []string{free}, 1, []string{text, "not a database"}},
		"directory cannot be created": {nil, []string{free, "--data", filepath.Join(file, "sub")}, 1, []string{file}},
		"port is not a number":        {[]string{"PORT=http"}, nil, 2, []string{"PORT", `"http"`}},
		"port is out of range":        {nil, []string{"--addr", "70000"}, 2, []string{"70000"}},
		"no rows": {
			nil,
			[]string{"--rows", "0", "--seconds", "NaN", "--workers", "0"},
			2,
			[]string{"it must be from 1 to 1000000", "--seconds is ", "it must be from 1 to 100 ", "--no-worker"},
		},
		"too many rows":           {nil, []string{"--rows", "1000001"}, 2, []string{"--rows is 1000001"}},
		"too many workers":        {nil, []string{"--workers", "101"}, 2, []string{"--workers is 101"}},
		"rows in words":           {nil, []string{"--rows", "many"}, 2, []string{"many", "--rows"}},
		"--data and --temp":       {nil, []string{"--data", "x", "--temp"}, 2, []string{"data", "temp"}},
		"--reset and --temp":      {nil, []string{"--reset", "--temp"}, 2, []string{"reset", "temp"}},
		"--workers, --no-worker":  {nil, []string{"--workers", "2", "--no-worker"}, 2, []string{"workers", "no-worker"}},
		"--reset of another file": {nil, []string{"--reset", "--data", foreignDatabase(t), free}, 1, []string{"not the demo's", "invoices", "--data"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, stderr := fails(t, c.vars, append([]string{"demo"}, c.args...)...)
			assert.Equal(t, c.status, status, stderr)
			for _, want := range c.want {
				assert.Contains(t, stderr, want)
			}
			if name == "postgres away" {
				assert.NotContains(t, stderr, "Redis")
			}
			assert.NotContains(t, stderr, "secret")
		})
	}
}

// foreignDatabase returns a directory with the database of another application.
func foreignDatabase(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	g, err := gorm.Open(sqlite.Open(filepath.Join(dir, "demo.sqlite3")), &gorm.Config{Logger: logger.Discard})
	require.NoError(t, err)
	require.NoError(t, g.Exec("CREATE TABLE invoices (id INTEGER PRIMARY KEY)").Error)
	conns, err := g.DB()
	require.NoError(t, err)
	require.NoError(t, conns.Close())
	return dir
}

func TestDemoRunsSeveralWorkers(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "demo", "--temp", "--addr", "0", "--rows", "5", "--workers", "3")
	assert.Contains(t, r.stdout.String(), "  Workers    3, on queue exports; and a scheduler\n")
	dashboard := strings.TrimSuffix(r.said(t, "Open"), "exports") + "resque/workers.json"
	require.Eventually(t, func() bool {
		_, page := visit(t, http.MethodGet, dashboard)
		return strings.Count(page, `:exports"`) == 3
	}, patience, 50*time.Millisecond, "want a Resque worker for each slot")
	assert.Equal(t, 0, r.stop())
}

func TestDemoResetEmptiesTheDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := testDatabase(t, filepath.Join(dir, "demo.sqlite3"), 20)
	e, err := db.add(t.Context(), 20, 0)
	require.NoError(t, err)
	require.NoError(t, e.PerformLengthyComputation(t.Context()))

	r := start(t, nil, "demo", "--data", dir, "--rows", "7", "--addr", "0", "--no-worker", "--reset")
	_, err = db.find(t.Context(), e.ID)
	require.ErrorContains(t, err, "couldn't find Export")
	assert.Zero(t, count(t, db, "chunks"))
	assert.Zero(t, count(t, db, "exports"))
	assert.Equal(t, 7, count(t, db, "customers"))
	assert.Equal(t, 0, r.stop())
}

func TestJobWithoutADatabaseFails(t *testing.T) {
	t.Parallel()
	redis, err := embedded.Start("")
	require.NoError(t, err)
	t.Cleanup(redis.Close)
	missing := filepath.Join(t.TempDir(), "missing.db")
	vars := []string{"REDIS_URL=" + redis.URL(), "DATABASE_URL=" + missing, "INTERVAL=0", "QUEUE=exports"}
	_, err = testClient(t, redis.URL()).Enqueue(t.Context(), Exporter.Job(7))
	require.NoError(t, err)
	status, stderr := fails(t, vars, "work")
	assert.Equal(t, 0, status, stderr)
	assert.Contains(t, stderr, "export 7: no database")
	assert.NoFileExists(t, missing)
}
