//go:build unix

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/tmuxtest"
)

// startTop starts 'goresque top' in a terminal. pid returns its process. After it the
// screen shows its exit status and the settings of the terminal.
func startTop(t *testing.T, s *redistest.Server, columns, lines int, vars []string, args string) (screen *tmuxtest.Screen, pid func() int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pid")
	command := fmt.Sprintf(`(echo $(exec sh -c 'echo $PPID') >%[1]s; exec %[2]s top --interval 0.2 %[3]s); echo ended $?; stty -a; exec cat`, file, build(t), args)
	screen = tmuxtest.Start(t, columns, lines, append(vars, "REDIS_URL="+s.URL), command)
	return screen, func() int {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		require.NoError(t, err)
		return n
	}
}

// seed writes some of everything, also texts that would disturb a terminal.
func seed(t *testing.T, s *redistest.Server) {
	t.Helper()
	c := s.Conn(t)
	for _, command := range [][]any{
		{"SADD", "resque:queues", "mail", "exports", "\x1b]0;evil\a\u202e"},
		{"RPUSH", "resque:queue:mail", `{"class":"Welcome","args":["日本語 \u001b[2J\u202e"]}`, `{"class":"Goodbye","args":[]}`},
		{"RPUSH", "resque:failed", `{"failed_at":"2026/01/02 12:00:00 UTC","payload":{"class":"Exporter","args":[]},"exception":"E","error":"\u001b[2J\u001b]0;evil\u0007","backtrace":["a.rb:1"],"worker":"w","queue":"exports"}`},
		{"SADD", "resque:workers", "web1:7:exports"},
		{"SET", "resque:worker:web1:7:exports", `{"queue":"exports","run_at":"2026-01-02T12:00:00Z","payload":{"class":"Exporter","args":["` + strings.Repeat("語", 1<<20) + `"]}}`},
	} {
		_, err := c.Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
}

func TestTopInATerminal(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	seed(t, s)
	for _, size := range [][2]int{{80, 24}, {132, 43}, {50, 12}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			screen, _ := startTop(t, s, size[0], size[1], nil, "")
			got := screen.Until(t, "goresque top", "waiting 2", "web1", "? help")
			lines := strings.Split(strings.TrimRight(got, "\n"), "\n")
			require.Len(t, lines, size[1])
			assert.True(t, strings.HasPrefix(lines[0], "goresque top  resque on"), got)
			assert.True(t, strings.HasPrefix(lines[size[1]-1], "? help  q quit"), got)
			for key, want := range map[string]string{"2": ">mail", "3": "FOR", "4": "AGO", "5": "DUE IN", "6": "TRIES"} {
				screen.Keys(t, key)
				screen.Until(t, want, "goresque top", "? help")
			}
			screen.Keys(t, "4", "Enter", "End")
			screen.Until(t, "Details", `\u001b[2J\u001b]0;evil\u0007`, "Esc back")
			screen.Keys(t, "q") // back
			screen.Until(t, "CLASS", "? help")
			screen.Keys(t, "r")
			screen.Until(t, "read-only")

			screen.Resize(t, size[0]+20, size[1]+5)
			screen.UntilIs(t, "keys in the last line", func(screen string) bool {
				lines := strings.Split(strings.TrimRight(screen, "\n"), "\n")
				return len(lines) == size[1]+5 && strings.HasPrefix(lines[0], "goresque top") && strings.HasPrefix(lines[len(lines)-1], "? help")
			})
			screen.Keys(t, "q")
			got = screen.Until(t, "ended 0", " echo", " icanon")
			assert.NotContains(t, got, "-icanon")
			assert.True(t, screen.IsRestored(t))
		})
	}
}

func TestTopColors(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	seed(t, s)
	colors := func(vars ...string) bool {
		screen, _ := startTop(t, s, 80, 24, vars, "--act")
		screen.Until(t, "no worker", "actions on")
		return strings.Contains(screen.Styled(t), "\x1b[31m")
	}
	assert.True(t, colors())
	assert.False(t, colors("NO_COLOR=1"))
}

// The terminal is restored whatever ends the program.
func TestTopRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			screen, pid := startTop(t, s, 80, 24, nil, "")
			screen.Until(t, "goresque top", "? help")
			assert.False(t, screen.IsRestored(t))
			require.NoError(t, syscall.Kill(pid(), signal))
			got := screen.Until(t, "ended 0", " echo", " icanon")
			assert.NotContains(t, got, "-icanon")
			assert.True(t, screen.IsRestored(t))
		})
	}
	t.Run("suspend", func(t *testing.T) {
		t.Parallel()
		screen := tmuxtest.Start(t, 80, 24, []string{"REDIS_URL=" + s.URL}, "exec bash --norc --noprofile -i")
		screen.UntilIs(t, "a prompt", func(screen string) bool { return strings.TrimSpace(screen) != "" })
		screen.Keys(t, build(t)+" top", "Enter")
		screen.Until(t, "goresque top", "? help")
		screen.Keys(t, "C-z")
		screen.Until(t, "Stopped")
		assert.True(t, screen.IsRestored(t))
		screen.Keys(t, "fg", "Enter")
		screen.Until(t, "waiting 0", "? help")
		screen.Keys(t, "q")
		screen.UntilIs(t, "the shell", func(string) bool { return screen.IsRestored(t) })
	})
}

// The program shows that Redis is away, and continues when Redis is back.
func TestTopWaitsForRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	seed(t, s)
	proxy := s.Proxy(t)
	_, end := proxy.Refuse()
	screen, _ := startTop(t, &redistest.Server{URL: proxy.URL}, 80, 24, nil, "")
	screen.Until(t, "Redis is away since")
	end()
	screen.Until(t, "waiting 2", "jobs/s")
	_, end = proxy.Refuse()
	proxy.Cut()
	screen.Until(t, "Redis is away since", "waiting 2")
	end()
	screen.UntilIs(t, "rates", func(screen string) bool {
		return strings.Contains(screen, "jobs/s") && !strings.Contains(screen, "away")
	})
}
