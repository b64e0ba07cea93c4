package cli

import (
	"cmp"
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

// Env is the environment of a command: its variables, its input and its outputs.
type Env struct {
	Stdout, Stderr io.Writer

	app       App
	vars      map[string]string
	argv      *argv // memory for the title; nil if Main does not run the command
	redisURL  string
	namespace string

	flags  redisFlags
	root   *cobra.Command // has the flags
	stdin  io.Reader
	asks   bool // stdin is a terminal
	called bool // arguments and flags were valid, and the command started
}

func newEnv(environ []string, stdout, stderr io.Writer) *Env {
	vars := make(map[string]string, len(environ))
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		vars[name] = value
	}
	return &Env{Stdout: stdout, Stderr: stderr, vars: vars, stdin: os.Stdin, asks: terminal(os.Stdin)}
}

// Getenv returns the value of an environment variable, or "" if it is not set.
func (e *Env) Getenv(name string) string { return e.vars[name] }

// Redis returns the Redis to use: that of App.Redis with what the flags and variables
// give, such as --redis or REDIS_URL. Its URL is empty if none is named.
func (e *Env) Redis() resque.RedisConfig {
	cfg := e.app.Redis
	cfg.URL = cmp.Or(e.redisURL, cfg.URL)
	cfg.Namespace = cmp.Or(e.namespace, cfg.Namespace)
	e.flags.apply(&cfg)
	cfg.Logger = cmp.Or(cfg.Logger, e.Logger())
	return cfg
}

// OpenRedis opens the Redis that [Env.Redis] returns, and checks that it answers.
func (e *Env) OpenRedis(ctx context.Context) (*resque.Redis, error) {
	rdb, err := e.open(e.Redis())
	if err != nil {
		return nil, err
	}
	if err := rdb.Ping(ctx); err != nil {
		_ = rdb.Close()
		return nil, err
	}
	return rdb, nil
}

// NewClient returns a client of a Redis, usually that of [Env.Redis], with the settings of
// App.Client. It has no connection yet.
func (e *Env) NewClient(cfg resque.RedisConfig) (*resque.Client, error) {
	rdb, err := e.open(cfg)
	if err != nil {
		return nil, err
	}
	client, err := resque.New(rdb, e.app.Client)
	if err != nil {
		_ = rdb.Close()
		return nil, err
	}
	return client, nil
}

// open opens a Redis. Its error names the flags and the variables of the call, not the fields of
// the config that they set.
func (e *Env) open(cfg resque.RedisConfig) (*resque.Redis, error) {
	rdb, err := resque.Open(cfg)
	if err == nil {
		return rdb, nil
	}
	text := err.Error()
	if from := e.source("redis"); from != "" && cfg.URL == e.redisURL && errors.Is(err, resque.ErrAddress) {
		text = from + ": " + withoutPackage(err)
	}
	var names []string
	for field, flag := range redisFields() {
		if typed := cmp.Or(e.source(flag), e.partner(field, flag)); typed != "" {
			names = append(names, field, typed)
		}
	}
	return nil, &usageError{&renamedError{strings.NewReplacer(names...).Replace(text), err}}
}

// source returns the flag that is given, or the variable that it was taken from, or "".
func (e *Env) source(name string) string {
	f := e.root.PersistentFlags().Lookup(name)
	if f.Changed {
		return "--" + name
	}
	return strings.Join(f.Annotations[takenFrom], "")
}

// partner returns what is missing beside a flag or a variable that needs it: the flag of a field
// that nothing sets.
func (e *Env) partner(field, flag string) string {
	app := e.app.Redis
	switch {
	case field == "TLSCertFile" && app.TLSCertFile == "", field == "TLSKeyFile" && app.TLSKeyFile == "":
		if e.root.PersistentFlags().Lookup("tls-cert-file").Changed || e.root.PersistentFlags().Lookup("tls-key-file").Changed {
			return "--" + flag
		}
		return e.root.PersistentFlags().Lookup(flag).Annotations[annotation][0]
	}
	return ""
}

// renamedError is an error in the words of the call.
type renamedError struct {
	text string
	err  error
}

func (e *renamedError) Error() string { return e.text }

func (e *renamedError) Unwrap() error { return e.err }

// withClient calls fn with a client of that Redis, which answers.
func (e *Env) withClient(ctx context.Context, fn func(ctx context.Context, client *resque.Client) error) error {
	client, err := e.NewClient(e.Redis())
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if err := client.Redis().Ping(ctx); err != nil {
		return err
	}
	return fn(ctx, client)
}

// withJobs is withClient for commands that remove or restore jobs: the client knows the
// classes, so that it frees and takes their locks. Without the classes it frees those that
// Ruby's plugins would use.
func (e *Env) withJobs(ctx context.Context, fn func(ctx context.Context, client *resque.Client) error) error {
	return e.withClient(ctx, func(ctx context.Context, client *resque.Client) error { return fn(ctx, e.WithJobs(ctx, client)) })
}

// WithJobs returns client with the classes of App.Mux, so that it frees and takes the locks of
// jobs that it removes and restores; see [resque.Client.WithJobs]. If App.Mux fails, it prints
// why, and the client frees only the locks that Ruby's plugins would use.
func (e *Env) WithJobs(ctx context.Context, client *resque.Client) *resque.Client {
	mux, err := e.newMux(ctx, client)
	if err != nil {
		fmt.Fprintf(e.Stderr, "The classes of jobs are not known, so that locks of By or of other queues stay until they expire: %v\n", err)
		mux = resque.NewMux()
	}
	return client.WithJobs(mux)
}

// newMux returns the jobs that the command knows.
func (e *Env) newMux(ctx context.Context, client *resque.Client) (*resque.Mux, error) {
	if e.app.Mux == nil {
		return resque.NewMux(), nil
	}
	mux, err := e.app.Mux(ctx, client)
	if err == nil && mux == nil {
		err = errors.New("cli: App.Mux returned no mux")
	}
	if err != nil {
		return nil, &muxError{err}
	}
	return mux, nil
}

// muxError is an error of App.Mux, which may be that of a database: it is not explained as a fault
// of Redis.
type muxError struct{ err error }

func (e *muxError) Error() string { return e.err.Error() }

func (e *muxError) Unwrap() error { return e.err }

// explain prints the cause of a Redis error and what to do about it.
func (e *Env) explain(err error) {
	fault, ok := resque.Explain(err)
	if other := (*muxError)(nil); !ok || errors.As(err, &other) {
		return
	}
	fmt.Fprintf(e.Stderr, "%s. %s\n", fault.Cause, fault.Advice)
	switch fault.Code {
	case resque.FaultUnreachable, resque.FaultNoSocket, resque.FaultHost, resque.FaultNotRedis, resque.FaultTLSExpected, resque.FaultNoTLS,
		resque.FaultPassword, resque.FaultDatabase, resque.FaultCommand, resque.FaultReadOnly, resque.FaultMasterDown,
		resque.FaultCluster, resque.FaultSentinel, resque.FaultNotSentinel, resque.FaultNoMaster, resque.FaultNodes, resque.FaultNotCluster:
		instance := new(*instanceError)
		switch from := e.source("redis"); {
		case errors.As(err, instance):
			fmt.Fprintln(e.Stderr, "The address is from --instance.")
		case from != "":
			fmt.Fprintf(e.Stderr, "The address is from %s.\n", from)
		default:
			fmt.Fprintln(e.Stderr, "No address was given: set it with --redis or REDIS_URL.")
		}
	default:
	}
}

// Logger returns a logger that writes to standard error: text on a terminal,
// otherwise JSON. VVERBOSE adds debug lines. VERBOSE and LOGGING have no effect:
// Ruby's worker logs nothing without them, and this one always logs what they turn
// on.
//
// Ruby: Resque::Worker#verbose= and #very_verbose=.
func (e *Env) Logger() *slog.Logger {
	return newLogger(e.Stderr, e.logLevel(), terminal(e.Stderr))
}

func (e *Env) logLevel() slog.Level {
	if e.Getenv("VVERBOSE") != "" {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// newLogger returns a logger that writes text, or JSON.
func newLogger(w io.Writer, level slog.Level, text bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if text {
		return slog.New(slog.NewTextHandler(w, options))
	}
	options.ReplaceAttr = func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration { // programs would otherwise get nanoseconds
			a.Value = slog.Float64Value(a.Value.Duration().Seconds())
		}
		return a
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func terminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// FromEnv makes a flag take its value from the first of the environment variables
// that is set, if the flag itself is not given. The flag's help lists the variables.
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

// Annotations of a flag: the variables that it can take its value from, and the one
// that it has it from.
const (
	annotation = "goresque_env"
	takenFrom  = "goresque_taken_from"
)

// isGiven reports whether a flag is given, or one of its variables.
func isGiven(f *pflag.Flag) bool { return f.Changed || f.Annotations[takenFrom] != nil }

// refuseEmpty refuses flags with an empty value, such as --class "$CLASS" if CLASS is
// not set. Without the value, a filter would match everything.
func refuseEmpty(cmd *cobra.Command) error {
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if f.Name == "exec" {
			return // has its own error
		}
		if several, ok := f.Value.(pflag.SliceValue); ok {
			values = several.GetSlice()
		}
		blank := func(text string) bool { return strings.TrimSpace(text) == "" }
		if len(values) == 0 || slices.ContainsFunc(values, blank) {
			err = errors.Join(err, UsageErrorf("--%s is empty: give it a value or omit it", f.Name))
		}
	})
	return err
}

// fill sets the flags that were not given from the environment.
func (e *Env) fill(cmd *cobra.Command) error {
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || err != nil {
			return
		}
		for _, name := range f.Annotations[annotation] {
			if value := e.Getenv(name); value != "" {
				// Ruby only checks whether the variable is set, except for
				// FORK_PER_JOB.
				_, parsed := f.Value.(*truth)
				if f.Value.Type() == "bool" && !parsed && (name != "FORK_PER_JOB" || value != "false") {
					value = "true"
				}
				if bad := f.Value.Set(value); bad != nil {
					err = UsageErrorf("%s: %s", name, invalid(f, value, bad.Error()))
				}
				f.Annotations[takenFrom] = []string{name}
				return
			}
		}
	})
	return err
}
