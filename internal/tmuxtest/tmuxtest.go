// Package tmuxtest runs programs of tests in a real terminal, that of tmux.
package tmuxtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

const (
	patience = time.Minute // only a failing test waits so long
	pause    = 50 * time.Millisecond
)

// Screen is a terminal in which a program runs.
type Screen struct {
	socket string
	env    []string
}

// Start runs a command of the shell in a terminal of the given size until the test ends.
// It skips the test if tmux is not installed. env is added to the environment. The locale
// has UTF-8.
func Start(t testing.TB, columns, lines int, env []string, command string) *Screen {
	t.Helper()
	_, err := exec.LookPath("tmux")
	redistest.Require(t, "tmux", err == nil)
	dir, err := os.MkdirTemp("", "tmux") //nolint:usetesting // the path of a socket must be short
	require.NoError(t, err)
	s := &Screen{socket: filepath.Join(dir, "s"), env: append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C.UTF-8", "TERM=xterm-256color"}, env...)}
	t.Cleanup(func() {
		_, _ = s.try("kill-server")
		_ = os.RemoveAll(dir)
	})
	s.tmux(t, "new-session", "-d", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(lines), command)
	return s
}

func (s *Screen) try(args ...string) (string, error) {
	// A cleanup also calls it, when the context of the test has ended.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "tmux", append([]string{"-u", "-f", "/dev/null", "-S", s.socket}, args...)...)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("tmux %v: %w: %s", args, err, out)
	}
	return string(out), err
}

func (s *Screen) tmux(t testing.TB, args ...string) string {
	t.Helper()
	out, err := s.try(args...)
	require.NoError(t, err)
	return out
}

// Keys presses keys, with tmux's names, such as "Enter" and "C-c".
func (s *Screen) Keys(t testing.TB, keys ...string) {
	t.Helper()
	s.tmux(t, append([]string{"send-keys"}, keys...)...)
}

// Text returns the lines of the screen, without spaces at their ends.
func (s *Screen) Text(t testing.TB) string {
	t.Helper()
	return s.tmux(t, "capture-pane", "-p")
}

// Styled returns the screen with the escape sequences of its colors.
func (s *Screen) Styled(t testing.TB) string {
	t.Helper()
	return s.tmux(t, "capture-pane", "-p", "-e")
}

// Resize changes the size of the terminal.
func (s *Screen) Resize(t testing.TB, columns, lines int) {
	t.Helper()
	s.tmux(t, "resize-window", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(lines))
}

// IsRestored reports whether the terminal shows its normal screen and its cursor.
func (s *Screen) IsRestored(t testing.TB) bool {
	t.Helper()
	return strings.TrimSpace(s.tmux(t, "display-message", "-p", "#{alternate_on} #{cursor_flag}")) == "0 1"
}

// Until waits until the screen contains all texts, and returns it.
func (s *Screen) Until(t testing.TB, texts ...string) string {
	t.Helper()
	return s.UntilIs(t, fmt.Sprint(texts), func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

// UntilIs waits until is returns true for the screen, and returns it.
func (s *Screen) UntilIs(t testing.TB, what string, is func(screen string) bool) (screen string) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		if screen = s.Text(t); is(screen) {
			return screen
		}
		select {
		case <-tick.C:
		case <-late.C:
			require.Fail(t, "the screen is not as expected", "want %s in\n%s", what, screen)
		}
	}
}
