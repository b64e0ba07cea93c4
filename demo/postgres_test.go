package demo

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/goresque/goresque/internal/pgtest"
)

// inPostgres opens the database at a URL as one more process would.
func inPostgres(t *testing.T, databaseURL string) *database {
	t.Helper()
	at, err := locate(databaseURL)
	require.NoError(t, err)
	db, err := openDatabase(t.Context(), at)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.close()) })
	return db
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	t.Run("processes meet a new database and work at once", func(t *testing.T) {
		t.Parallel()
		at := newPostgres(t, server, "at_once")
		const processes, each, rows = 4, 3, 200
		var all sync.WaitGroup
		for range processes {
			all.Go(func() {
				where, err := locate(at)
				assert.NoError(t, err)
				db, err := openDatabase(t.Context(), where)
				if !assert.NoError(t, err) {
					return
				}
				defer func() { assert.NoError(t, db.close()) }()
				assert.NoError(t, db.seed(t.Context(), rows))
				for range each {
					e, err := db.create(t.Context(), rows, 0)
					if assert.NoError(t, err) {
						assert.NoError(t, e.PerformLengthyComputation(t.Context()))
					}
				}
			})
		}
		all.Wait()
		db := inPostgres(t, at)
		exports, err := db.latest(t.Context(), 100)
		require.NoError(t, err)
		require.Len(t, exports, processes*each)
		for _, listed := range exports {
			assertWholeFile(t, db, listed.ID, rows)
		}
	})

	t.Run("runs that begin at once are told apart", func(t *testing.T) {
		t.Parallel()
		at := newPostgres(t, server, "attempts")
		db := inPostgres(t, at)
		require.NoError(t, db.seed(t.Context(), 100))
		created, err := db.create(t.Context(), 100, 0)
		require.NoError(t, err)
		const runs = 8
		attempts := make([]int, runs)
		var all sync.WaitGroup
		for i := range runs {
			all.Go(func() {
				e, err := db.find(t.Context(), created.ID)
				if assert.NoError(t, err) && assert.NoError(t, e.begin(t.Context())) {
					attempts[i] = e.Attempt
				}
			})
		}
		all.Wait()
		assert.ElementsMatch(t, []int{1, 2, 3, 4, 5, 6, 7, 8}, attempts)

		old, err := db.find(t.Context(), created.ID)
		require.NoError(t, err)
		last, err := inPostgres(t, at).find(t.Context(), created.ID)
		require.NoError(t, err)
		require.NoError(t, last.begin(t.Context()))
		require.ErrorIs(t, old.build(t.Context()), errTakenOver)
		require.NoError(t, last.build(t.Context()))
		require.NoError(t, last.finish(t.Context()))
		assertWholeFile(t, db, created.ID, 100)
	})

	t.Run("a file is read whole while it is made anew", func(t *testing.T) {
		t.Parallel()
		db := inPostgres(t, newPostgres(t, server, "anew"))
		require.NoError(t, db.seed(t.Context(), 100))
		e, err := db.create(t.Context(), 100, 0)
		require.NoError(t, err)
		require.NoError(t, e.PerformLengthyComputation(t.Context()))
		done := make(chan error, 1)
		go func() {
			var err error
			for i := 0; i < 10 && err == nil; i++ {
				err = e.PerformLengthyComputation(t.Context())
			}
			done <- err
		}()
		whole := wantCSV(100)
		for {
			select {
			case err := <-done:
				require.NoError(t, err)
				return
			default:
			}
			reader, err := db.find(t.Context(), e.ID)
			require.NoError(t, err)
			data, err := reader.file(t.Context())
			if err != nil {
				require.ErrorIs(t, err, errNotReady)
			} else {
				require.Equal(t, whole, string(data))
			}
		}
	})

	t.Run("another application's tables are left alone", func(t *testing.T) {
		t.Parallel()
		at := newPostgres(t, server, "neighbour")
		conn := connect(t, at)
		_, err := conn.Exec(t.Context(), "CREATE TABLE customers (vat text); INSERT INTO customers VALUES ('DE1')")
		require.NoError(t, err)
		db := inPostgres(t, at)
		require.NoError(t, db.seed(t.Context(), 10))
		where, err := locate(at)
		require.NoError(t, err)
		empty, err := resetDatabase(t.Context(), where)
		require.NoError(t, err)
		defer func() { assert.NoError(t, empty.close()) }()
		var n int64
		require.NoError(t, db.gorm.Model(&customer{}).Count(&n).Error, "who had it open goes on")
		assert.Zero(t, n)
		require.NoError(t, db.seed(t.Context(), 5))
		var vat string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT vat FROM public.customers").Scan(&vat))
		assert.Equal(t, "DE1", vat)

		_, err = conn.Exec(t.Context(), "CREATE TABLE goresque_demo.invoices (id int)")
		require.NoError(t, err)
		_, err = resetDatabase(t.Context(), where)
		require.ErrorContains(t, err, "it is not the demo's: it has a table invoices")
		require.NoError(t, db.gorm.Model(&customer{}).Count(&n).Error)
		assert.EqualValues(t, 5, n)
	})

	t.Run("a user who may make no schema uses the one that is there", func(t *testing.T) {
		t.Parallel()
		at := newPostgres(t, server, "small_rights")
		_, err := connect(t, at).Exec(t.Context(), `CREATE ROLE bob LOGIN PASSWORD 'bob'; CREATE SCHEMA goresque_demo AUTHORIZATION bob`)
		require.NoError(t, err)
		u, err := url.Parse(at)
		require.NoError(t, err)
		u.User = url.UserPassword("bob", "bob")
		require.NoError(t, inPostgres(t, u.String()).seed(t.Context(), 10))
	})

	t.Run("the command names it without its password", func(t *testing.T) {
		t.Parallel()
		at := newPostgres(t, server, "command")
		r := start(t, []string{"DATABASE_URL=" + at}, "demo", "--addr", "0", "--rows", "5", "--no-worker")
		shown := strings.ReplaceAll(at, pgtest.Password, "xxxxx")
		assert.Contains(t, r.stdout.String(), "  Database   "+shown+"\n")
		assert.Contains(t, r.stdout.String(), "DATABASE_URL="+shown+" QUEUE=exports goresque work\n  (write your password in place of xxxxx)\n")
		assert.NotContains(t, r.stdout.String()+r.stderr.String(), pgtest.Password)
		assert.Equal(t, 0, r.stop())

		for name, c := range map[string]struct{ url, want string }{
			"wrong password": {strings.ReplaceAll(at, pgtest.Password, "open-sesame"), "look at the user, the password and the database in DATABASE_URL"},
			"no database":    {strings.ReplaceAll(at, "/command", "/none"), `"none" does not exist`},
		} {
			status, stderr := fails(t, []string{"DATABASE_URL=" + c.url}, "demo", "--addr", "0")
			assert.Equal(t, 1, status, name)
			assert.Contains(t, stderr, c.want)
			assert.NotContains(t, stderr, pgtest.Password)
			assert.NotContains(t, stderr, "open-sesame")
		}
	})
}

// newPostgres makes a database of its own on a server.
func newPostgres(t *testing.T, server, name string) (databaseURL string) {
	t.Helper()
	_, err := connect(t, server).Exec(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	u, err := url.Parse(server)
	require.NoError(t, err)
	u.Path = name
	return u.String()
}

func connect(t *testing.T, databaseURL string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

func assertWholeFile(t *testing.T, db *database, id int64, rows int) {
	t.Helper()
	e, err := db.find(t.Context(), id)
	require.NoError(t, err)
	data, err := e.file(t.Context())
	require.NoError(t, err)
	assert.Equal(t, wantCSV(rows), string(data))
}

func TestAloneTriesAgain(t *testing.T) {
	t.Parallel()
	db := testDatabase(t, filepath.Join(t.TempDir(), "a.db"), 0)
	for name, c := range map[string]struct {
		code string
		runs int
	}{
		"overtaken": {"40001", 20},
		"deadlock":  {"40P01", 20},
		"otherwise": {"23505", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs := 0
			err := alone(t.Context(), db.gorm, func(*gorm.DB) error {
				runs++
				return fmt.Errorf("saving: %w", &pgconn.PgError{Code: c.code})
			})
			require.ErrorContains(t, err, c.code)
			assert.Equal(t, c.runs, runs)
		})
	}
}
