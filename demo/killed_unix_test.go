//go:build unix

package demo

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/internal/browsertest"
)

// TestMain runs the tests, or goresque for a test that kills it.
func TestMain(m *testing.M) {
	if args := os.Getenv("DEMO_TEST_GORESQUE"); args != "" {
		os.Exit(App(os.Getenv).Run(context.Background(), []string{args}, os.Environ(), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// worker starts a worker in another process.
func (f *fixture) worker(t *testing.T) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "DEMO_TEST_GORESQUE=work", "REDIS_URL="+f.redis.URL(), "DATABASE_URL=sqlite:"+f.exports.db.At.Path, "QUEUE=exports")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func TestBrowserShowsThatTheWorkerWasKilled(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	f := setUp(t, 1000, 30)
	worker := f.worker(t)
	tab.Do(browsertest.Navigate(f.web.URL+"/exports"), click(`.primary`), browsertest.Becomes(row(1, record.Building)), mark(),
		browsertest.Becomes(`document.querySelector("#export-1 progress").value > 10`))
	require.NoError(t, worker.Process.Kill())
	_ = worker.Wait() // its error is that it was killed

	tab.Do(browsertest.Becomes(row(1, record.Failed)), browsertest.Visible("worker was killed, or the machine is gone"),
		browsertest.Becomes(`document.querySelector("#export-1 [role=alert]") !== null`))
	assert.True(t, browsertest.Ask[bool](tab, stayed))
	assert.Zero(t, f.pieces(t))
	assert.Equal(t, 409, f.do(t, "GET", "/exports/1/download").StatusCode)

	require.NoError(t, f.exports.db.Model(&Export{}).Where("id = ?", 1).Update("seconds", 0.5).Error)
	f.worker(t)
	tab.Do(click(`[aria-label="Try export 1 again"]`), browsertest.Becomes(row(1, record.Ready)))
	assert.Equal(t, wantCSV(1000), f.do(t, "GET", "/exports/1/download").body)
}
