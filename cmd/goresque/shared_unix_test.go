//go:build unix

package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/pgtest"
	"github.com/goresque/goresque/internal/redistest"
)

// databases runs a test with each kind of database.
func databases(t *testing.T, test func(t *testing.T, databaseURL string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, "sqlite:"+filepath.Join(t.TempDir(), "shared.db"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, pgtest.Start(t))
	})
}

// Two web apps and two workers open the same new database and use it at the same time.
func TestProcessesShareADatabase(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, databaseURL string) {
		const rows, each = 20_000, 4
		bin, s := build(t), redistest.Start(t)
		vars := []string{"REDIS_URL=" + s.URL, "DATABASE_URL=" + databaseURL, "TZ=America/New_York"}
		web := func() *process {
			return run(t, bin, vars, "demo", "--no-worker", "--addr", "127.0.0.1:0", "--rows", strconv.Itoa(rows), "--seconds", "0")
		}
		webs := []*process{web(), web()}
		all := append([]*process{
			run(t, bin, append(vars, "QUEUE=exports"), "work"),
			run(t, bin, append(vars, "QUEUE=exports"), "work", "--concurrency", "2"),
		}, webs...)
		var asking sync.WaitGroup
		urls := make([]string, len(webs))
		for i, web := range webs {
			urls[i] = match(t, web.until(t, "Stop with Ctrl-C"), `Open\s+(http://\S+)`)
			asking.Go(func() {
				for range each {
					resp, err := http.Post(urls[i], "", nil)
					if assert.NoError(t, err) {
						resp.Body.Close()
						assert.Equal(t, http.StatusOK, resp.StatusCode)
					}
				}
			})
		}
		asking.Wait()
		var first string
		for id := 1; id <= len(webs)*each; id++ {
			at := fmt.Sprintf("%s/%d", urls[id%len(urls)], id)
			var last export
			require.Eventually(t, func() bool {
				last = show(t, at)
				return last.Complete
			}, patience, pause, at)
			require.Equal(t, "ready", last.State)
			file := download(t, at)
			require.Equal(t, rows, strings.Count(file, "@example.com"))
			if first == "" {
				first = file
			}
			require.Equal(t, first, file, "two exports differ")
		}
		assert.True(t, strings.HasPrefix(first, firstLines), "dates must not depend on the time zone: %.200s", first)
		for _, p := range all {
			p.terminate(t)
			assert.NotContains(t, p.stderr.String(), "locked")
			assert.NotContains(t, p.stderr.String(), "ERROR")
			assert.NotContains(t, p.stderr.String(), pgtest.Password)
		}
	})
}

// firstLines are the first lines of every export.
const firstLines = "id,name,email,city,note,customer since\n" +
	"1,Priya van der Berg,customer1@example.com,\"Washington, D.C.\",\"1,000.50 EUR\",2015-08-09\n"

// After kill -9 there is no incomplete file to download. Another worker finds the job
// in the dead worker's record and builds the export.
func TestKilledWorkerLeavesNoIncompleteFile(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, databaseURL string) {
		bin, s := build(t), redistest.StartReal(t)
		vars := []string{"REDIS_URL=" + s.URL, "DATABASE_URL=" + databaseURL, "QUEUE=exports", "RESQUE_HEARTBEAT_INTERVAL=1"}
		web := run(t, bin, vars, "demo", "--no-worker", "--addr", "127.0.0.1:0", "--rows", "1000", "--seconds", "8")
		at := match(t, web.until(t, "Stop with Ctrl-C"), `Open\s+(http://\S+)`)
		victim := run(t, bin, vars, "work")
		resp, err := http.Post(at, "", nil) //nolint:gosec // our own
		require.NoError(t, err)
		resp.Body.Close()
		at += "/1"
		require.Eventually(t, func() bool { return show(t, at).State == "building" }, patience, pause)
		require.NoError(t, victim.cmd.Process.Kill())
		_ = victim.cmd.Wait()
		assert.Equal(t, http.StatusConflict, status(at+"/download"))

		heir := run(t, bin, vars, "work", "--on-crash", "requeue")
		require.Eventually(t, func() bool { return show(t, at).State == "ready" }, patience, pause)
		assert.Equal(t, 1000, strings.Count(download(t, at), "@example.com"))
		heir.terminate(t)
		web.terminate(t)
		assert.Contains(t, heir.stderr.String(), "pruned a dead worker")
	})
}

func download(t *testing.T, at string) string {
	t.Helper()
	u, err := url.JoinPath(at, "download")
	require.NoError(t, err)
	resp, err := http.Get(u) //nolint:gosec // our own
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}
