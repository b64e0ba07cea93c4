package demo

import (
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/customers"
	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/internal/pgtest"
)

// inPostgres opens the database at a URL, as another process would.
func inPostgres(t *testing.T, databaseURL string) exports {
	t.Helper()
	at, err := database.Locate(databaseURL)
	require.NoError(t, err)
	db, err := database.Open(t.Context(), at, models()...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return exports{db}
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	t.Run("several processes can open a new database and use it", func(t *testing.T) {
		t.Parallel()
		at := newPostgres(t, server, "at_once")
		const processes, each, rows = 4, 3, 200
		var all sync.WaitGroup
		for range processes {
			all.Go(func() {
				where, err := database.Locate(at)
				assert.NoError(t, err)
				opened, err := database.Open(t.Context(), where, models()...)
				if !assert.NoError(t, err) {
					return
				}
				db := exports{opened}
				defer func() { assert.NoError(t, db.db.Close()) }()
				assert.NoError(t, customers.Seed(t.Context(), db.db, rows))
				for range each {
					e, err := db.add(t.Context(), rows, 0)
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

	t.Run("a file is read complete or not at all while it is built again", func(t *testing.T) {
		t.Parallel()
		db := inPostgres(t, newPostgres(t, server, "again"))
		require.NoError(t, customers.Seed(t.Context(), db.db, 100))
		e, err := db.add(t.Context(), 100, 0)
		require.NoError(t, err)
		require.NoError(t, e.PerformLengthyComputation(t.Context()))
		id := e.ID // performing writes to e
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
			reader, err := db.find(t.Context(), id)
			require.NoError(t, err)
			data, err := reader.file(t.Context())
			if err != nil {
				require.ErrorIs(t, err, errNotReady)
			} else {
				require.Equal(t, whole, string(data))
			}
		}
	})

	t.Run("Open and Reset keep another application's tables", func(t *testing.T) {
		t.Parallel()
		at := newPostgres(t, server, "neighbour")
		conn := connect(t, at)
		_, err := conn.Exec(t.Context(), "CREATE TABLE customers (vat text); INSERT INTO customers VALUES ('DE1')")
		require.NoError(t, err)
		db := inPostgres(t, at)
		require.NoError(t, customers.Seed(t.Context(), db.db, 10))
		where, err := database.Locate(at)
		require.NoError(t, err)
		empty, err := database.Reset(t.Context(), where, models()...)
		require.NoError(t, err)
		defer func() { assert.NoError(t, empty.Close()) }()
		var n int64
		require.NoError(t, db.db.Model(&customers.Customer{}).Count(&n).Error, "in a database that was open during Reset")
		assert.Zero(t, n)
		require.NoError(t, customers.Seed(t.Context(), db.db, 5))
		var vat string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT vat FROM public.customers").Scan(&vat))
		assert.Equal(t, "DE1", vat)

		_, err = conn.Exec(t.Context(), "CREATE TABLE goresque_demo.invoices (id int)")
		require.NoError(t, err)
		_, err = database.Reset(t.Context(), where, models()...)
		require.ErrorContains(t, err, "it is not the demo's: it has a table invoices")
		require.NoError(t, db.db.Model(&customers.Customer{}).Count(&n).Error)
		assert.EqualValues(t, 5, n)
	})

	t.Run("a user who cannot create a schema uses the existing one", func(t *testing.T) {
		t.Parallel()
		at := newPostgres(t, server, "small_rights")
		_, err := connect(t, at).Exec(t.Context(), `CREATE ROLE bob LOGIN PASSWORD 'bob'; CREATE SCHEMA goresque_demo AUTHORIZATION bob`)
		require.NoError(t, err)
		u, err := url.Parse(at)
		require.NoError(t, err)
		u.User = url.UserPassword("bob", "bob")
		require.NoError(t, customers.Seed(t.Context(), inPostgres(t, u.String()).db, 10))
	})

	t.Run("the command hides the password", func(t *testing.T) {
		t.Parallel()
		at := newPostgres(t, server, "command")
		r := start(t, []string{"DATABASE_URL=" + at}, "demo", "--addr", "0", "--rows", "5", "--no-worker")
		shown := strings.ReplaceAll(at, pgtest.Password, "xxxxx")
		assert.Contains(t, r.stdout.String(), "  Database   "+shown+"\n")
		assert.Contains(t, r.stdout.String(), "DATABASE_URL="+shown+" DYNAMIC_SCHEDULE=1 QUEUE=exports goresque work --scheduler\n  (replace xxxxx with your password)\n")
		assert.NotContains(t, r.stdout.String()+r.stderr.String(), pgtest.Password)
		assert.Equal(t, 0, r.stop())

		for name, c := range map[string]struct{ url, want string }{
			"wrong password": {strings.ReplaceAll(at, pgtest.Password, "open-sesame"), "check the user, the password and the database in DATABASE_URL"},
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

// newPostgres creates a database on a server.
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

func assertWholeFile(t *testing.T, db exports, id int64, rows int) {
	t.Helper()
	e, err := db.find(t.Context(), id)
	require.NoError(t, err)
	data, err := e.file(t.Context())
	require.NoError(t, err)
	assert.Equal(t, wantCSV(rows), string(data))
}
