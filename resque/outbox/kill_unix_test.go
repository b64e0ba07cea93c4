//go:build unix

package outbox

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

var kills = flag.Int("kills", 20, "how often writers and relays are killed, with each database")

// TestMain runs the tests, or a writer or a relay for a test that kills it.
func TestMain(m *testing.M) {
	flag.Parse()
	role := os.Getenv("OUTBOX_TEST_ROLE")
	if role == "" {
		os.Exit(m.Run())
	}
	if err := process(role); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process runs a writer or a relay that kills itself at a step.
func process(role string) error {
	db, err := sql.Open(os.Getenv("OUTBOX_TEST_DRIVER"), os.Getenv("OUTBOX_TEST_DSN"))
	if err != nil {
		return err
	}
	left, err := strconv.Atoi(os.Getenv("OUTBOX_TEST_STEPS"))
	if err != nil {
		return err
	}
	step := func(string) {
		if left--; left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	ctx := context.Background()
	if role == "writer" {
		return writeForever(ctx, db, step)
	}
	rdb, err := resque.Open(resque.RedisConfig{URL: os.Getenv("OUTBOX_TEST_REDIS"), DialTimeout: time.Minute})
	if err != nil {
		return err
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	return (&Relay{DB: db, Client: client, Interval: time.Millisecond, Logger: slog.New(slog.DiscardHandler), step: step}).Run(ctx)
}

// writeForever stores records with their jobs. It rolls back each third transaction.
func writeForever(ctx context.Context, db *sql.DB, step func(string)) error {
	first, err := strconv.ParseInt(os.Getenv("OUTBOX_TEST_FIRST"), 10, 64)
	if err != nil {
		return err
	}
	for id := first; ; id++ {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		step("begun")
		if _, err := tx.ExecContext(ctx, "INSERT INTO records (id) VALUES ($1)", id); err != nil {
			return err
		}
		step("inserted")
		if _, err := Write(ctx, tx, exporter.Job(id)); err != nil {
			return err
		}
		step("written")
		end := tx.Commit
		if id%3 == 0 {
			end = tx.Rollback
		}
		if err := end(); err != nil {
			return err
		}
		step("ended")
	}
}

// start starts a process that kills itself at its n-th step.
func (f *fixture) start(t *testing.T, role string, n int, first int64) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "OUTBOX_TEST_ROLE="+role, "OUTBOX_TEST_DRIVER="+f.source.driver, "OUTBOX_TEST_DSN="+f.source.dsn,
		"OUTBOX_TEST_REDIS="+f.server.URL, "OUTBOX_TEST_STEPS="+strconv.Itoa(n), "OUTBOX_TEST_FIRST="+strconv.FormatInt(first, 10))
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// killCases returns the cases of TestOutbox that kill processes.
func killCases() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"no job is lost or made up when writers and relays are killed": survivesKills,
	}
}

// survivesKills kills a writer and a relay at each of their steps. Afterwards the jobs of all
// committed records have been enqueued, and no others.
func survivesKills(t *testing.T, f *fixture) {
	t.Helper()
	_, err := f.db.Exec("CREATE TABLE records (id BIGINT PRIMARY KEY)")
	require.NoError(t, err)
	for n := range *kills / 2 {
		writer := f.start(t, "writer", 1+n%29, int64(n+1)*1000)
		relay := f.start(t, "relay", 1+n%7, 0)
		_ = writer.Wait() // its error is that it was killed
		ended := make(chan struct{})
		go func() { _ = relay.Wait(); close(ended) }()
		s, err := ReadState(t.Context(), f.db)
		require.NoError(t, err)
		if s.Waiting == 0 { // it may have no step left
			_ = relay.Process.Kill()
		}
		select {
		case <-ended:
		case <-time.After(50 * time.Millisecond):
			_ = relay.Process.Kill()
			<-ended
		}
	}
	f.run(t, f.relay())
	f.empty(t)
	rows, err := f.db.Query("SELECT id FROM records ORDER BY id")
	require.NoError(t, err)
	defer rows.Close()
	want := map[string]bool{}
	for rows.Next() {
		var id int64
		require.NoError(t, rows.Scan(&id))
		want[fmt.Sprintf(`{"class":"Exporter","args":[%d]}`, id)] = true
	}
	require.NoError(t, rows.Err())
	got := map[string]bool{}
	all := f.payloads(t, "exports")
	for _, p := range all {
		got[p] = true
	}
	require.NotEmpty(t, want)
	assert.Equal(t, want, got)
	t.Logf("%d kills, %d records, %d jobs enqueued again", *kills, len(want), len(all)-len(got))
}
