//go:build unix

package top

import (
	"context"
	"os"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/internal/tmuxtest"
)

// asProgram makes the test binary a program that panics in a terminal.
const asProgram = "GORESQUE_TEST_PANICS"

func TestMain(m *testing.M) {
	if in := os.Getenv(asProgram); in != "" {
		app := cli.App{Commands: []func(*cli.Env) *cobra.Command{func(env *cli.Env) *cobra.Command {
			return &cobra.Command{Use: "panics", RunE: func(cmd *cobra.Command, _ []string) error {
				return show(cmd.Context(), env, panicking{in: in})
			}}
		}}}
		os.Exit(app.Run(context.Background(), []string{"panics"}, os.Environ(), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// panicking panics when a key is pressed.
type panicking struct{ in string }

func (p panicking) Init() tea.Cmd { return nil }

func (p panicking) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if _, ok := msg.(tea.KeyPressMsg); ok {
		if p.in == "update" {
			panic("broken")
		}
		return p, func() tea.Msg { panic("broken") }
	}
	return p, nil
}

func (p panicking) View() tea.View {
	v := tea.NewView("press a key")
	v.AltScreen = true
	return v
}

// A panic ends the program with an error, and the terminal is as before.
func TestPanicRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	for _, in := range []string{"update", "command"} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			screen := tmuxtest.Start(t, 120, 50, []string{asProgram + "=" + in}, self+" 2>/dev/null; echo ended $?; stty -a; exec cat")
			screen.Until(t, "press a key")
			screen.Keys(t, "a")
			got := screen.UntilIs(t, "ended", func(screen string) bool {
				return strings.Contains(screen, "ended 1") && strings.Contains(screen, "echo")
			})
			assert.NotContains(t, got, "-icanon")
			assert.True(t, screen.IsRestored(t))
		})
	}
}
