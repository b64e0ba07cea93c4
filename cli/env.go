package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/goresque/goresque/resque"
)

// Env is a command's surroundings: what it reads and where it writes.
type Env struct {
	Stdout, Stderr io.Writer

	vars      map[string]string
	argv      *argv // of the process, where this is its command
	redisURL  string
	namespace string

	skipVerify bool
	caFile     string
	stdin      io.Reader
	asks       bool // stdin is somebody at a terminal
	called     bool // arguments and flags were right, and the command began
}

func newEnv(environ []string, stdout, stderr io.Writer) *Env {
	vars := make(map[string]string, len(environ))
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		vars[name] = value
	}
	return &Env{Stdout: stdout, Stderr: stderr, vars: vars, stdin: os.Stdin, asks: terminal(os.Stdin)}
}

// Getenv is an environment variable's value, empty where it is not set.
func (e *Env) Getenv(name string) string { return e.vars[name] }

// Redis says which Redis to use: --redis or REDIS_URL, --namespace or
// RESQUE_NAMESPACE, and what the flags about TLS say. Its URL is empty when nobody named one.
func (e *Env) Redis() resque.RedisConfig {
	return resque.RedisConfig{
		URL: e.redisURL, Namespace: e.namespace, TLSSkipVerify: e.skipVerify, TLSCAFile: e.caFile, Logger: e.Logger(),
	}
}

// OpenRedis opens that Redis and makes sure that it answers.
func (e *Env) OpenRedis(ctx context.Context) (*resque.Redis, error) {
	rdb, err := resque.Open(e.Redis())
	if err != nil {
		return nil, UsageErrorf("%w", err)
	}
	if err := rdb.Ping(ctx); err != nil {
		_ = rdb.Close()
		return nil, err
	}
	return rdb, nil
}

// explain writes the cause of an error of Redis and what to do about it.
func (e *Env) explain(err error) {
	fault, ok := resque.Explain(err)
	if !ok {
		return
	}
	fmt.Fprintf(e.Stderr, "%s. %s\n", fault.Cause, fault.Advice)
	switch fault.Code {
	case resque.FaultUnreachable, resque.FaultHost, resque.FaultNotRedis, resque.FaultTLSExpected, resque.FaultNoTLS,
		resque.FaultPassword, resque.FaultDatabase, resque.FaultCommand, resque.FaultReadOnly, resque.FaultMasterDown:
		fmt.Fprintln(e.Stderr, "The address is from --redis or REDIS_URL.")
	default:
	}
}

// Logger writes to the command's standard error: text on a terminal, JSON
// otherwise. VVERBOSE adds what is only of interest when looking for a fault.
// VERBOSE and LOGGING change nothing: Ruby's worker is silent without them, and
// this one always writes what they ask for.
//
// Ruby: Resque::Worker#verbose= and #very_verbose=.
func (e *Env) Logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if e.Getenv("VVERBOSE") != "" {
		options.Level = slog.LevelDebug
	}
	if terminal(e.Stderr) {
		return slog.New(slog.NewTextHandler(e.Stderr, options))
	}
	options.ReplaceAttr = func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration { // for programs, which would have it in nanoseconds
			a.Value = slog.Float64Value(a.Value.Duration().Seconds())
		}
		return a
	}
	return slog.New(slog.NewJSONHandler(e.Stderr, options))
}

func terminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// FromEnv lets a flag take its value from the first of the environment
// variables that is set, when the flag itself is not given. The flag's help
// names them.
func FromEnv(cmd *cobra.Command, flag string, variables ...string) {
	f := cmd.Flag(flag)
	if f == nil {
		panic("cli: FromEnv: no flag --" + flag)
	}
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[annotation] = variables
	f.Usage += " [" + strings.Join(variables, ", ") + "]"
}

const annotation = "goresque_env"

// refuseEmpty refuses flags that were given without a value, as --class "$CLASS"
// is when CLASS is not set: what was meant to narrow would mean everything.
func refuseEmpty(cmd *cobra.Command) error {
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if f.Name == "exec" {
			return // it says what it wants
		}
		if several, ok := f.Value.(pflag.SliceValue); ok {
			values = several.GetSlice()
		}
		blank := func(text string) bool { return strings.TrimSpace(text) == "" }
		if len(values) == 0 || slices.ContainsFunc(values, blank) {
			err = errors.Join(err, UsageErrorf("--%s is empty: give it a value or leave it out", f.Name))
		}
	})
	return err
}

// fill gives the flags that were not given what the environment has for them.
func (e *Env) fill(cmd *cobra.Command) error {
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || err != nil {
			return
		}
		for _, name := range f.Annotations[annotation] {
			if value := e.Getenv(name); value != "" {
				// Ruby asks only whether it is set, but for this one.
				if f.Value.Type() == "bool" && (name != "FORK_PER_JOB" || value != "false") {
					value = "true"
				}
				if bad := f.Value.Set(value); bad != nil {
					err = UsageErrorf("%s=%q: %w", name, value, bad)
				}
				return
			}
		}
	})
	return err
}
