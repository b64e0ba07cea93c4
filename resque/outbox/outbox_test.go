package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/pgtest"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

var exporter = resque.Define1[int64]("Exporter", "exports")

// source is a database for tests.
type source struct{ driver, dsn string }

func sqliteSource(t testing.TB) source {
	t.Helper()
	return source{"sqlite3", "file:" + filepath.Join(t.TempDir(), "app.db") + "?_busy_timeout=60000&_journal_mode=WAL"}
}

func (s source) open(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open(s.driver, s.dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// fixture is a database with an outbox, and a Redis.
type fixture struct {
	source source
	db     *sql.DB
	server *redistest.Server
	client *resque.Client
}

func newFixture(t testing.TB, s source) *fixture {
	t.Helper()
	f := &fixture{source: s, db: s.open(t), server: redistest.Start(t)}
	require.NoError(t, Migrate(t.Context(), f.db))
	f.client = clientOf(t, f.server.URL)
	return f
}

func clientOf(t testing.TB, url string) *resque.Client {
	t.Helper()
	rdb, err := resque.Open(resque.RedisConfig{URL: url, DialTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rdb.Close()) })
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	return client
}

// TestOutbox tests with SQLite and with PostgreSQL. Each case has its own database.
func TestOutbox(t *testing.T) {
	t.Parallel()
	cases := map[string]func(t *testing.T, f *fixture){
		"committed jobs are enqueued in order":                enqueuesInOrder,
		"payload bytes and members are kept":                  keepsBytes,
		"delayed jobs are delayed":                            delays,
		"jobs that cannot be enqueued stay and block nothing": keepsRefused,
		"many relays enqueue each job once":                   runsManyRelays,
		"nothing is lost while Redis is away":                 waitsForRedis,
		"jobs are removed by queue and payload":               removes,
	}
	maps.Copy(cases, killCases())
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		for name, test := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, newFixture(t, sqliteSource(t)))
			})
		}
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		server := pgtest.Start(t)
		db := source{"pgx", server}.open(t)
		number := 0
		for name, test := range cases {
			number++
			database := fmt.Sprintf("app%d", number)
			_, err := db.Exec("CREATE DATABASE " + database)
			require.NoError(t, err)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, newFixture(t, source{"pgx", strings.Replace(server, "/postgres", "/"+database, 1)}))
			})
		}
		_, err := ReadState(t.Context(), db)
		require.ErrorContains(t, err, "create the table with outbox.Migrate")
	})
}

// write writes jobs in a transaction that is committed.
func (f *fixture) write(t testing.TB, jobs ...resque.Job) {
	t.Helper()
	tx, err := f.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	receipts, err := Write(t.Context(), tx, jobs...)
	require.NoError(t, err)
	for i, r := range receipts {
		require.Equal(t, resque.Receipt{State: resque.Stored, Queue: jobs[i].Queue}, r)
	}
	require.NoError(t, tx.Commit())
}

// run runs a relay until the test ends, or stop is called.
func (f *fixture) run(t testing.TB, r *Relay) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(stop)
	return stop
}

func (f *fixture) relay() *Relay {
	return &Relay{DB: f.db, Client: f.client, Interval: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
}

// payloads returns the payloads of a queue.
func (f *fixture) payloads(t testing.TB, queue string) []string {
	t.Helper()
	var all []string
	for job, err := range f.client.Peek(t.Context(), queue, 0, 1_000_000) {
		require.NoError(t, err)
		all = append(all, string(job.Raw))
	}
	return all
}

// empty waits until no job waits in the outbox.
func (f *fixture) empty(t testing.TB) {
	t.Helper()
	until(t, "the outbox is empty", func() bool {
		s, err := ReadState(t.Context(), f.db)
		require.NoError(t, err)
		return s.Waiting == 0
	})
}

func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); {
		require.True(t, time.Now().Before(end), "waiting until %s", what)
		wait := time.NewTimer(2 * time.Millisecond)
		<-wait.C
	}
}

func enqueuesInOrder(t *testing.T, f *fixture) {
	t.Helper()
	var want []string
	for i := range int64(2500) {
		want = append(want, fmt.Sprintf(`{"class":"Exporter","args":[%d]}`, i))
	}
	var jobs []resque.Job
	for i := range int64(2400) {
		jobs = append(jobs, exporter.Job(i))
	}
	f.write(t, jobs...)
	for i := int64(2400); i < 2500; i++ {
		f.write(t, exporter.Job(i))
	}
	tx, err := f.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = Write(t.Context(), tx, exporter.Job(-1))
	require.NoError(t, err)
	require.NoError(t, tx.Rollback())

	f.run(t, f.relay())
	f.empty(t)
	assert.Equal(t, want, f.payloads(t, "exports"))
}

func keepsBytes(t *testing.T, f *fixture) {
	t.Helper()
	job := resque.Job{Queue: "q€", Class: "A", Args: []any{1.0, "<é\u2028\x00>", int64(9007199254740993), map[string]any{}}}.
		WithMember("trace", map[string]any{"id": "x"}).WithMember("n", 1e20)
	want, err := job.Encode()
	require.NoError(t, err)
	f.write(t, job)
	f.run(t, f.relay())
	f.empty(t)
	assert.Equal(t, []string{string(want)}, f.payloads(t, "q€"))
}

func delays(t *testing.T, f *fixture) {
	t.Helper()
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	f.write(t, exporter.Job(1).At(at), exporter.Job(2).In(2*time.Hour), exporter.Job(3).At(time.Now().Add(-time.Minute)))
	f.run(t, f.relay())
	f.empty(t)
	due, err := f.client.ScheduledAt(t.Context(), exporter.Job(1))
	require.NoError(t, err)
	require.Len(t, due, 1)
	assert.True(t, at.Equal(due[0]))
	due, err = f.client.ScheduledAt(t.Context(), exporter.Job(2))
	require.NoError(t, err)
	require.Len(t, due, 1)
	assert.WithinRange(t, due[0], at.Add(time.Hour), at.Add(time.Hour+time.Minute))
	assert.Equal(t, []string{`{"class":"Exporter","args":[3]}`}, f.payloads(t, "exports"))
}

func keepsRefused(t *testing.T, f *fixture) {
	t.Helper()
	c := f.server.Conn(t)
	_, err := c.Do("SET", "resque:queue:wrong", "a string")
	require.NoError(t, err)
	f.write(t, exporter.Job(1), exporter.Job(2).To("wrong"))
	_, err = f.db.ExecContext(t.Context(), `INSERT INTO goresque_outbox (queue, payload, written_at) VALUES ('exports', 'not JSON', 0), ('', '{"class":"A","args":[]}', 0)`)
	require.NoError(t, err)
	f.write(t, exporter.Job(3))
	var log logs
	r := f.relay()
	r.Logger = slog.New(slog.NewTextHandler(&log, nil))
	f.run(t, r)
	f.empty(t)
	assert.Equal(t, []string{`{"class":"Exporter","args":[1]}`, `{"class":"Exporter","args":[3]}`}, f.payloads(t, "exports"))
	left, err := List(t.Context(), f.db, 10)
	require.NoError(t, err)
	require.Len(t, left, 3)
	assert.Contains(t, left[0].Err, "WRONGTYPE")
	assert.Contains(t, left[1].Err, `unreadable payload in queue "exports"`)
	assert.Contains(t, left[2].Err, "jobs must be placed onto a queue")
	s, err := ReadState(t.Context(), f.db)
	require.NoError(t, err)
	assert.Equal(t, State{Refused: 3}, s)
	until(t, "they are logged", func() bool { return strings.Count(log.String(), "job in the outbox cannot be enqueued") == 3 })

	// When the cause is gone, they can be tried again.
	_, err = c.Do("DEL", "resque:queue:wrong")
	require.NoError(t, err)
	_, err = f.db.ExecContext(t.Context(), `UPDATE goresque_outbox SET error = NULL WHERE queue = 'wrong'`)
	require.NoError(t, err)
	f.empty(t)
	assert.Equal(t, []string{`{"class":"Exporter","args":[2]}`}, f.payloads(t, "wrong"))
}

func TestWriteRefusesInvalidJobs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, sqliteSource(t))
	for name, test := range map[string]struct {
		job  resque.Job
		want string
	}{
		"no queue":    {resque.Job{Class: "A"}, "outbox: job 2: resque: jobs must be placed onto a queue"},
		"channel":     {resque.Job{Class: "A", Queue: "q", Args: []any{make(chan int)}}, "outbox: job 2: resque: A: argument 1"},
		"far future":  {exporter.Job(1).At(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)), "after the year 9999"},
		"queue twice": {exporter.Job(1).In(time.Hour).WithMember("queue", "x"), `cannot be named "queue"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx, err := f.db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
			_, err = Write(t.Context(), tx, exporter.Job(1), test.job)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestHooksAreCalledByWriteOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t, sqliteSource(t))
	var calls []string
	client, err := resque.New(f.client.Redis(), resque.Config{JSON: resque.JSONRails, EnqueueHooks: []resque.EnqueueMiddleware{
		resque.StampEnqueuedAt,
		resque.BeforeEnqueue(func(_ context.Context, job resque.Job) (bool, error) {
			calls = append(calls, job.Class)
			return job.Args[0] != "vetoed", nil
		}),
		resque.AfterEnqueue(func(context.Context, resque.Job) error { calls = append(calls, "after"); return nil }),
	}})
	require.NoError(t, err)
	tx, err := f.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	receipts, err := Writer{Client: client}.Write(t.Context(), tx, resque.Job{Queue: "q", Class: "A", Args: []any{"<"}}, resque.Job{Queue: "q", Class: "B", Args: []any{"vetoed"}})
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	assert.Equal(t, resque.Receipts{{State: resque.Stored, Queue: "q"}, {State: resque.Vetoed, Queue: "q"}}, receipts)
	f.client = client
	f.run(t, f.relay())
	f.empty(t)
	assert.Equal(t, []string{"A", "B"}, calls)
	got := f.payloads(t, "q")
	require.Len(t, got, 1)
	assert.Equal(t, 1, strings.Count(got[0], "enqueued_at"))
	assert.Contains(t, got[0], `"args":["\u003c"]`)
}

func runsManyRelays(t *testing.T, f *fixture) {
	t.Helper()
	for range 3 {
		other := f.relay()
		other.DB = f.source.open(t)
		f.run(t, other)
	}
	const writers, each = 4, 60
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				f.write(t, exporter.Job(int64(w*each+i)))
			}
		})
	}
	all.Wait()
	f.empty(t)
	seen := map[string]bool{}
	got := f.payloads(t, "exports")
	for _, p := range got {
		seen[p] = true
	}
	assert.Len(t, got, writers*each)
	assert.Len(t, seen, writers*each)
}

func waitsForRedis(t *testing.T, f *fixture) {
	t.Helper()
	p := f.server.Proxy(t)
	_, end := p.Refuse()
	f.client = clientOf(t, p.URL)
	var log logs
	r := f.relay()
	r.Logger = slog.New(slog.NewTextHandler(&log, nil))
	f.run(t, r)
	f.write(t, exporter.Job(1))
	until(t, "the outage is logged", func() bool { return strings.Contains(log.String(), "outbox relay cannot reach redis") })
	f.write(t, exporter.Job(2))
	end()
	f.empty(t)
	until(t, "its end is logged", func() bool { return strings.Contains(log.String(), "outbox relay reaches redis again") })
	assert.Equal(t, 1, strings.Count(log.String(), "cannot reach redis"))
	f.client = clientOf(t, f.server.URL)
	assert.Equal(t, []string{`{"class":"Exporter","args":[1]}`, `{"class":"Exporter","args":[2]}`}, f.payloads(t, "exports"))
}

func TestWakeEndsTheWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t, sqliteSource(t))
	r := f.relay()
	r.Interval = time.Hour
	stop := f.run(t, r)
	for i := range int64(3) {
		f.write(t, exporter.Job(i))
		r.Wake()
		f.empty(t)
	}
	stop()
	r.Wake() // does not block, and is remembered
	r.Wake()
	f.write(t, exporter.Job(4))
	f.run(t, r)
	f.empty(t)
}

func TestRunRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	f := newFixture(t, sqliteSource(t))
	require.ErrorContains(t, (&Relay{}).Run(t.Context()), "needs a DB, and a Client")
	inline, err := resque.New(nil, resque.Config{Inline: resque.NewMux()})
	require.NoError(t, err)
	require.ErrorContains(t, (&Relay{DB: f.db, Client: inline}).Run(t.Context()), "a Client with a Redis")
	require.ErrorContains(t, (&Relay{DB: f.db, Client: f.client, Interval: -1}).Run(t.Context()), "must not be negative")
}

func TestMissingTableIsNamed(t *testing.T) {
	t.Parallel()
	_, err := ReadState(t.Context(), sqliteSource(t).open(t))
	require.ErrorContains(t, err, "create the table with outbox.Migrate")
}

func removes(t *testing.T, f *fixture) {
	t.Helper()
	f.write(t, exporter.Job(1), exporter.Job(2).In(time.Hour), exporter.Job(2), exporter.Job(2).To("other"))
	n, err := Remove(t.Context(), f.db, exporter.Job(2))
	require.NoError(t, err)
	assert.Equal(t, int64(2), n)
	left, err := List(t.Context(), f.db, 10)
	require.NoError(t, err)
	require.Len(t, left, 2)
	assert.Equal(t, `{"class":"Exporter","args":[1]}`, string(left[0].Payload))
	assert.Equal(t, "other", left[1].Queue)
	assert.False(t, left[1].Written.IsZero())
}

// logs collects a log.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestGuideHasTheStatements(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/outbox.md")
	require.NoError(t, err)
	assert.Contains(t, string(guide), "```sql\n"+PostgresTable+"\n```")
	assert.Contains(t, string(guide), "```sql\n"+SQLiteTable+"\n```")
}
