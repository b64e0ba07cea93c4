package main_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	patience = time.Minute // only a failing test waits so long
	pause    = 20 * time.Millisecond
)

// TestWorkerCommandOnTheScreenServesTheDemo runs the real command twice: a demo
// without a worker, and the worker that its screen tells the user to start.
func TestWorkerCommandOnTheScreenServesTheDemo(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGTERM, which the test sends")
	}
	bin := build(t)
	demo := run(t, bin, nil, "demo", "--temp", "--addr", "127.0.0.1:0", "--seconds", "1", "--no-worker")
	screen := demo.until(t, "Stop with Ctrl-C")
	url := match(t, screen, `Open\s+(http://\S+)`)
	line := match(t, screen, `(?m)^\s*(REDIS_URL=\S+ DATABASE_URL=\S+ DYNAMIC_SCHEDULE=1 QUEUE=exports) goresque work --scheduler$`)
	database := match(t, screen, `Database\s+(/\S+)`)

	resp, err := http.Post(url, "", nil) //nolint:gosec // our own
	require.NoError(t, err)
	page, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "/exports", resp.Request.URL.Path)
	require.Contains(t, string(page), "spinner")
	require.False(t, show(t, url+"/1").Complete, "complete without a worker")

	worker := run(t, bin, strings.Fields(line), "work", "--scheduler")
	var last export
	require.Eventually(t, func() bool {
		last = show(t, url+"/1")
		return last.Complete
	}, patience, 20*time.Millisecond)
	require.Equal(t, "ready", last.State)

	resp, err = http.Get("http://" + resp.Request.URL.Host + last.DownloadURL)
	require.NoError(t, err)
	defer resp.Body.Close()
	records, err := csv.NewReader(resp.Body).ReadAll()
	require.NoError(t, err)
	assert.Len(t, records, 10_001)

	worker.terminate(t)
	demo.terminate(t)
	assert.NoDirExists(t, filepath.Dir(database))
}

// build returns the path of the command. The path is different for each test, so that
// a test can find its own processes.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "goresque")
	require.NoError(t, os.Link(os.Getenv(built), bin))
	return bin
}

// process is a goresque process.
type process struct {
	cmd    *exec.Cmd
	stdout *bufio.Scanner
	stderr *strings.Builder // read it only after the process has ended
}

func run(t *testing.T, bin string, vars []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(bin, args...), stderr: &strings.Builder{}}
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, vars...)
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.stdout = bufio.NewScanner(out)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// until reads standard output up to a line that contains word.
func (p *process) until(t *testing.T, word string) string {
	t.Helper()
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	var said strings.Builder
	for p.stdout.Scan() {
		said.WriteString(p.stdout.Text() + "\n")
		if strings.Contains(p.stdout.Text(), word) {
			return said.String()
		}
	}
	_ = p.cmd.Wait()
	require.Fail(t, "the process ended first", "stdout: %s\nstderr: %s", &said, p.stderr)
	return ""
}

// terminate sends TERM and checks that the exit status is 0.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	killer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer killer.Stop()
	for p.stdout.Scan() {
	}
	require.NoError(t, p.cmd.Wait(), "%s: %s", p.cmd, p.stderr)
}

type export struct {
	Complete    bool
	State       string
	DownloadURL string `json:"download_url"`
}

func show(t *testing.T, url string) export {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var e export
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&e))
	return e
}

func match(t *testing.T, text, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	require.NotNil(t, found, "%s is not in: %s", pattern, text)
	return found[1]
}
