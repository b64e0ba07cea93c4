package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/demo"
)

// callAny calls the command with all that it has, the demo included. No Redis answers.
func callAny(t *testing.T, environ []string, args ...string) call {
	t.Helper()
	var stdout, stderr bytes.Buffer
	environ = append([]string{"REDIS_URL=127.0.0.1:1"}, environ...)
	status := demo.App(func(string) string { return "" }).Run(t.Context(), args, environ, &stdout, &stderr)
	return call{status, stdout.String(), stderr.String()}
}

// everyCommand returns the commands that a person can call, with those that only have others
// below them.
func everyCommand(t *testing.T) []*cobra.Command {
	t.Helper()
	var root *cobra.Command
	app := demo.App(func(string) string { return "" })
	app.Commands = append(app.Commands, func(*cli.Env) *cobra.Command {
		return &cobra.Command{Use: "root", Hidden: true, Run: func(cmd *cobra.Command, _ []string) { root = cmd.Root() }}
	})
	require.Zero(t, app.Run(t.Context(), []string{"root"}, nil, &bytes.Buffer{}, os.Stderr))
	var all []*cobra.Command
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			if !child.Hidden && child.Name() != "help" && child.Name() != "completion" {
				all = append(all, child)
				visit(child)
			}
		}
	}
	visit(root)
	require.Greater(t, len(all), 40)
	return all
}

// words returns the words that call cmd, without goresque.
func words(cmd *cobra.Command) []string { return strings.Fields(cmd.CommandPath())[1:] }

// assertReadable checks that a wrong call is refused in words that name what was wrong and not the
// functions that noticed it.
func assertReadable(t *testing.T, got call, args []string, says ...string) {
	t.Helper()
	line, _, _ := strings.Cut(got.stderr, "\n")
	assert.Equal(t, 2, got.status, "%q: %s", args, got.stderr)
	assert.Contains(t, got.stderr, "--help'", "%q", args)
	for _, text := range append(says, "goresque") {
		assert.Contains(t, line, text, "%q", args)
	}
	assert.NotRegexp(t, `strconv|parsing|invalid syntax|time: |invalid argument|arg\(s\)|accepts|requires at|for "goresque|in the group|out of range|shorthand|%!|[A-Z][a-z]+ without [A-Z]`, line, "%q", args)
}

func TestWrongNumbersOfArgumentsAreExplained(t *testing.T) {
	t.Parallel()
	for _, cmd := range everyCommand(t) {
		_, names, _ := strings.Cut(cmd.Use, " ")
		least := 0
		for name := range strings.FieldsSeq(names) {
			if !strings.HasPrefix(name, "[") {
				least++
			}
		}
		if least > 0 {
			args := words(cmd)
			assertReadable(t, callAny(t, nil, args...), args)
		}
		if strings.Contains(names, "…") {
			continue
		}
		args := append(words(cmd), "one", "two", "nope")
		says := []string{"nope"}
		if names == "" {
			args, says = append(words(cmd), "nope"), append(says, "argument")
		}
		if cmd.HasSubCommands() {
			says = []string{`unknown command "nope" of ` + cmd.Name()}
		}
		assertReadable(t, callAny(t, nil, args...), args, says...)
	}
	got := callAny(t, nil, "peek")
	assert.Equal(t, "goresque peek: missing QUEUE: use 'goresque peek QUEUE'\nSee 'goresque peek --help'.\n", got.stderr)
	got = callAny(t, nil, "schedule", "set", "a")
	assert.Contains(t, got.stderr, "missing CLASS: use 'goresque schedule set NAME CLASS [ARG…]'")
	got = callAny(t, nil, "peek", "a", "b")
	assert.Contains(t, got.stderr, `unexpected argument "b": use 'goresque peek QUEUE'`)
	got = callAny(t, nil, "list", "workers")
	assert.Contains(t, got.stderr, `unexpected argument "workers": the command takes none`)
}

func TestWrongValuesOfFlagsAreExplained(t *testing.T) {
	t.Parallel()
	bad := map[string][]string{
		"int": {"x", "1.5", "99999999999999999999"}, "int64": {"x", "1.5", "99999999999999999999"}, "float64": {"x"},
		"bool": {"x"}, "duration": {"x"}, "stringSlice": {`a"b`}, "seconds": {"x", "-1", "nan"}, "time": {"x"},
		"interval": {"x", "-"}, "string": nil, "stringArray": nil,
	}
	for _, cmd := range everyCommand(t) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			values, ok := bad[f.Value.Type()]
			if !ok {
				values = []string{"x!"}
			}
			for _, value := range values {
				args := append(words(cmd), "--"+f.Name+"="+value)
				assertReadable(t, callAny(t, nil, args...), args, "--"+f.Name+": ", fmt.Sprintf("%q", value))
			}
			if f.NoOptDefVal == "" {
				args := append(words(cmd), "--"+f.Name)
				assertReadable(t, callAny(t, nil, args...), args, "--"+f.Name+" needs a value")
			}
			if f.Shorthand != "" && f.NoOptDefVal == "" {
				args := append(words(cmd), "-"+f.Shorthand)
				assertReadable(t, callAny(t, nil, args...), args, "-"+f.Shorthand+" needs a value")
			}
			if len(f.Name) > 4 && f.Name != "help" {
				args := append(words(cmd), "--"+f.Name[:len(f.Name)-2]+f.Name[len(f.Name)-1:])
				assertReadable(t, callAny(t, nil, args...), args, "did you mean --"+f.Name+"?")
			}
		})
		for _, args := range [][]string{append(words(cmd), "--xyzzy"), append(words(cmd), "-Z"), append(words(cmd), "--xyzzy=1")} {
			assertReadable(t, callAny(t, nil, args...), args, "unknown flag "+args[len(args)-1][:2])
		}
	}
	got := callAny(t, nil, "work", "-pidfile", "a")
	assert.Contains(t, got.stderr, "unknown flag -p: use --pidfile, with two dashes")
	got = callAny(t, nil, "web", "--doctor-every", "10")
	assert.Contains(t, got.stderr, `--doctor-every: want a duration with a unit, such as 90s, 10m or 1h30m, got "10"`)
	for _, every := range []string{"1ms", "-1h"} {
		got = callAny(t, nil, "web", "--doctor-every", every)
		assert.Contains(t, got.stderr, "it must be at least 10s", every)
	}
	got = callAny(t, nil, "work", "--queue", "q", "--heartbeat-interval", "0.000001")
	assert.Contains(t, got.stderr, "--heartbeat-interval (RESQUE_HEARTBEAT_INTERVAL) is 1e-06 s; it must be at least 0.01 s")
	got = callAny(t, nil, "work", "-c", "many")
	assert.Contains(t, got.stderr, `goresque work: --concurrency: want a whole number, got "many"`)
}

// As flags, but from the environment.
func TestWrongValuesOfVariablesAreExplained(t *testing.T) {
	t.Parallel()
	bad := map[string]string{"int": "x", "int64": "x", "bool": "", "duration": "10", "string": "", "stringSlice": ""}
	for _, cmd := range everyCommand(t) {
		if cmd.HasSubCommands() || strings.Contains(cmd.Use, " ") {
			continue
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			variables := regexp.MustCompile(`\[([A-Z_, ]+)\]$`).FindStringSubmatch(f.Usage)
			value, known := bad[f.Value.Type()]
			if variables == nil || known && value == "" {
				return
			}
			if !known {
				value = "x!"
			}
			for name := range strings.SplitSeq(variables[1], ", ") {
				got := callAny(t, []string{name + "=" + value}, words(cmd)...)
				assertReadable(t, got, append(words(cmd), name), name+": ", value)
			}
		})
	}
}

func TestUnknownCommandsNameTheNearest(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"worx":               "'goresque work'",
		"retry":              "'goresque failed retry' or 'goresque retries'",
		"queue":              "'goresque queues'",
		"shcedule list":      "'goresque schedule'",
		"failed lst --json":  "'goresque failed list'",
		"failed list extra":  "",
		"delayed rum":        "'goresque delayed run'",
		"xyzzy":              "",
		"help xyzzy":         "",
		"help queue":         "'goresque queues'",
		"help failed lst":    "'goresque failed list'",
		"help failed list x": "",
		"completion nushell": "",
		"completion zhs":     "'goresque completion zsh'",
		"queues rm exports":  "'goresque queues remove'",
		"failed delete":      "'goresque failed remove'",
		"locks rm a":         "'goresque locks release'",
		"ls":                 "'goresque list'",
		"--version":          "'goresque version'",
	} {
		got := callAny(t, nil, strings.Fields(args)...)
		assert.Equal(t, 2, got.status, args)
		if want == "" {
			assert.NotContains(t, got.stderr, "did you mean", args)
		} else {
			assert.Contains(t, got.stderr, want, args)
		}
		assertReadable(t, got, strings.Fields(args))
	}
	for _, args := range []string{"help", "help failed", "help failed list", "completion"} {
		got := callAny(t, nil, strings.Fields(args)...)
		assert.Equal(t, 0, got.status, args)
		assert.Contains(t, got.stdout, "Usage:", args)
	}
}

// The queue of a worker is named with a flag, which has two dashes.
func TestWordsAfterWork(t *testing.T) {
	t.Parallel()
	got := callAny(t, nil, "work", "exports")
	assert.Contains(t, got.stderr, `unexpected argument "exports": the command takes none; name queues with --queue exports`)
	for _, args := range [][]string{{"-queue", "exports"}, {"-queue=exports"}, {"-c", "2", "-queue", "exports"}} {
		got := callAny(t, nil, append([]string{"work"}, args...)...)
		assertReadable(t, got, args, "-queue: use --queue, with two dashes")
	}
}

func TestFlagsThatExcludeEachOther(t *testing.T) {
	t.Parallel()
	got := callAny(t, nil, "doctor", "--fix", "--restore", "a")
	assertReadable(t, got, nil, "give only one of --fix and --restore")
}

// A variable that is not set does not pause a queue that cannot have jobs.
func TestPauseOfAnEmptyName(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"pause", "resume"} {
		for _, name := range []string{"", " "} {
			got := callAny(t, nil, command, name)
			assert.Equal(t, 2, got.status)
			assert.Contains(t, got.stderr, "QUEUE is empty: name a queue, or omit it for all workers")
		}
	}
}

func TestNegativeNumberOfConnections(t *testing.T) {
	t.Parallel()
	for _, got := range []call{
		callAny(t, nil, "info", "--max-connections", "-1"), callAny(t, []string{"RESQUE_MAX_CONNECTIONS=-1"}, "info"),
	} {
		assert.Equal(t, 2, got.status)
		assert.Contains(t, got.stderr, "--max-connections (RESQUE_MAX_CONNECTIONS) is -1; it must not be negative (0 means no limit)")
	}
}

func TestMissingQueueNamesTheCommand(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"work", "workers"} {
		got := callAny(t, nil, command)
		assert.Equal(t, 2, got.status)
		assert.Contains(t, got.stderr, "no queue given: use QUEUE=exports goresque "+command+", or goresque "+command+" --queue exports ('*' means all)")
	}
}

// The commands that doctor advises exist.
func TestDoctorAdvisesCommandsThatExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, cmd := range everyCommand(t) {
		known[strings.Join(words(cmd), " ")] = true
	}
	files, err := filepath.Glob("../resque/doctor/*.go")
	require.NoError(t, err)
	advised := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`goresque ((?:batches|delayed|failed|limits|locks|queues|schedule) [a-z-]+)`).FindAllSubmatch(text, -1) {
			assert.True(t, known[string(m[1])], "%s advises %s", file, m[0])
			advised++
		}
	}
	assert.Greater(t, advised, 5)
}
