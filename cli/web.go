package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/web"
)

// webOptions are the flags of the web command.
type webOptions struct {
	addr, user, password, title string
	lockPrefix                  string
	doctorEvery                 time.Duration
	readOnly, noAuth, generated bool
	hosts, origins, redact      []string
	instances                   []string
	hideArgs, history           bool
	prune                       pruneFlags
}

// webCommand serves the dashboard.
//
// Ruby: resque-web.
func webCommand(env *Env) *cobra.Command {
	var o webOptions
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Serve the dashboard",
		Long: `Serves the dashboard until INT or TERM. If you do not set a password, it prints one
that is valid for this run. To listen on an address that other machines can reach,
set a password, and put TLS in front: browsers send the password with each request.`,
		Example: "  goresque web\n  RESQUE_WEB_PASSWORD=… goresque web --addr :5678 --host resque.example.com",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.doctorEvery != 0 && o.doctorEvery < web.MinDoctorEvery {
				return UsageErrorf("--doctor-every is %v; it must be at least %v", o.doctorEvery, web.MinDoctorEvery)
			}
			ctx, stop := UntilSignal(cmd.Context())
			defer stop()
			err := env.withClient(ctx, func(ctx context.Context, client *resque.Client) error { return o.run(ctx, env, client) })
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return nil // stopped before the start
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.addr, "addr", "127.0.0.1", "host:port, host or port to listen on (default port: PORT, or 5678)")
	flags.StringVar(&o.user, "user", "resque", "name to sign in with")
	flags.StringVar(&o.password, "password", "", "password to sign in with; prefer the variable, because the list of processes shows flags")
	flags.BoolVar(&o.noAuth, "no-auth", false, "allow access without a password; only on loopback")
	flags.BoolVar(&o.readOnly, "read-only", false, "allow reading only")
	flags.StringVar(&o.title, "title", "", "title of the pages, to distinguish several dashboards")
	flags.StringSliceVar(&o.hosts, "host", nil, "host name to serve; may be repeated (default: on loopback its own names, otherwise all)")
	flags.StringSliceVar(&o.origins, "trusted-origin", nil, "origin of a proxy that changes the Host header, such as https://jobs.example.com; may be repeated")
	flags.StringSliceVar(&o.redact, "redact", nil, "key of hash arguments whose values are hidden; may be repeated")
	flags.BoolVar(&o.hideArgs, "hide-args", false, "hide all arguments")
	flags.StringArrayVar(&o.instances, "instance", nil, "another Resque to show: NAME=URL; may be repeated (the Redis of --redis is the instance main)")
	flags.BoolVar(&o.history, "history", false, "keep the counters of processed and failed jobs in Redis, for graphs of up to 180 days; workers with --metrics keep them too")
	flags.StringVar(&o.lockPrefix, "lock-prefix", "", "prefix of the lock's name, if the schedulers have one")
	flags.DurationVar(&o.doctorEvery, "doctor-every", 0, "how often to make the checks of doctor, such as 10m, for the metric resque_doctor_findings; they read all keys (default: never)")
	FromEnv(cmd, "lock-prefix", "RESQUE_SCHEDULER_MASTER_LOCK_PREFIX")
	FromEnv(cmd, "addr", "RESQUE_WEB_ADDR")
	FromEnv(cmd, "user", "RESQUE_WEB_USER")
	FromEnv(cmd, "password", "RESQUE_WEB_PASSWORD")
	FromEnv(cmd, "read-only", "RESQUE_WEB_READ_ONLY")
	FromEnv(cmd, "history", "RESQUE_WEB_HISTORY")
	o.prune.add(cmd)
	cmd.MarkFlagsMutuallyExclusive("password", "no-auth")
	return cmd
}

// listenAddress parses "host:port", "host", ":port" or "port". port is the default
// port.
func listenAddress(addr, port string) string {
	if addr != "" && strings.Trim(addr, "0123456789") == "" {
		return net.JoinHostPort("127.0.0.1", addr)
	}
	if ip := strings.Trim(addr, "[]"); net.ParseIP(ip) != nil {
		return net.JoinHostPort(ip, port)
	}
	if !strings.Contains(addr, ":") {
		return net.JoinHostPort(addr, port)
	}
	return addr
}

func (o *webOptions) run(ctx context.Context, env *Env, client *resque.Client) error {
	o.addr = listenAddress(o.addr, cmp.Or(env.Getenv("PORT"), "5678"))
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return fmt.Errorf("listening for the dashboard: %v; choose another address with --addr", err) //nolint:errorlint // it is not a fault of Redis, and must not be explained as one
	}
	defer listener.Close()
	tcp, ok := listener.Addr().(*net.TCPAddr)
	loopback := ok && tcp.IP.IsLoopback()
	switch {
	case !loopback && o.noAuth:
		return UsageErrorf("other machines can reach %s, so --no-auth is refused: set a password with RESQUE_WEB_PASSWORD in place of it, or listen on 127.0.0.1", o.addr)
	case !loopback && o.password == "":
		return UsageErrorf("other machines can reach %s: set a password with RESQUE_WEB_PASSWORD, or listen on 127.0.0.1", o.addr)
	}
	if loopback && len(o.hosts) == 0 {
		host, _, _ := net.SplitHostPort(o.addr) // cannot fail: Listen accepted it
		o.hosts = []string{"localhost", "127.0.0.1", "::1", host}
	}
	log := env.Logger()
	prune, err := o.prune.options(ctx, env, client)
	if err != nil {
		return err
	}
	cfg := web.Config{
		Auth: o.auth(), ReadOnly: o.readOnly, Title: o.title, AllowedHosts: o.hosts, TrustedOrigins: o.origins,
		RedactKeys: o.redact, HideArgs: o.hideArgs, KeepHistory: o.history, SchedulerLockPrefix: o.lockPrefix, DoctorEvery: o.doctorEvery, Logger: log,
		Prune: prune,
	}
	if len(o.instances) > 0 {
		return o.serveInstances(ctx, env, listener, client, cfg)
	}
	dashboard, err := web.New(client, cfg)
	if err != nil {
		return UsageErrorf("%w", err)
	}
	o.printPassword(env)
	fmt.Fprintf(env.Stdout, "The dashboard of %s is at http://%s/\n", client.Redis(), listener.Addr())
	return serveDashboard(ctx, listener, dashboard, log)
}

// mainInstance is the name of the instance whose Redis is that of the command.
const mainInstance = "main"

// serveInstances serves the dashboards of client and of the instances that the flags name.
func (o *webOptions) serveInstances(ctx context.Context, env *Env, l net.Listener, client *resque.Client, cfg web.Config) error {
	all := []web.Instance{{Name: mainInstance, Client: client, Config: cfg}}
	for _, flag := range o.instances {
		name, url, ok := strings.Cut(flag, "=")
		if !ok || name == "" || url == "" {
			return UsageErrorf("--instance %q: want NAME=URL, such as shop=redis://shop.example.com:6379?namespace=resque", flag)
		}
		rdb := env.Redis()
		rdb.URL, rdb.Namespace = url, "" // the URL may have another namespace
		other, err := env.NewClient(rdb)
		if err != nil {
			return UsageErrorf("--instance %s: %s", name, withoutPackage(err))
		}
		defer func() { _ = other.Close() }()
		if err := other.Redis().Ping(ctx); err != nil {
			fault, ok := resque.Explain(err)
			if !ok || !fault.Temporary {
				return &instanceError{name, err}
			}
			fmt.Fprintf(env.Stderr, "The instance %s cannot be shown yet. %s. %s\n", name, fault.Cause, fault.Advice)
		}
		own := cfg
		if own.Prune, err = o.prune.options(ctx, env, other); err != nil {
			return err
		}
		all = append(all, web.Instance{Name: name, Client: other, Config: own})
	}
	dashboards, err := web.NewInstances(all...)
	if err != nil {
		return UsageErrorf("%w", err)
	}
	o.printPassword(env)
	fmt.Fprintf(env.Stdout, "The dashboard of %d instances is at http://%s/\n", len(all), l.Addr())
	return serveDashboard(ctx, l, dashboards, cfg.Logger)
}

// instanceError is an error of the Redis of an instance.
type instanceError struct {
	name string
	err  error
}

func (e *instanceError) Error() string { return fmt.Sprintf("--instance %s: %v", e.name, e.err) }

func (e *instanceError) Unwrap() error { return e.err }

// dashboardHandler is a dashboard, or several.
type dashboardHandler interface {
	http.Handler
	Run(ctx context.Context) error
}

// auth returns the Auth that the flags describe. Without a password it generates one.
func (o *webOptions) auth() web.Auth {
	if o.noAuth {
		return web.AllowEveryone()
	}
	if o.password == "" {
		o.password = strings.ToLower(rand.Text())[:20]
		o.generated = true
	}
	return web.BasicAuth(o.user, o.password)
}

// printPassword prints the password if auth has generated it.
func (o *webOptions) printPassword(env *Env) {
	if o.generated {
		fmt.Fprintf(env.Stdout, "Sign in as %s with the password %s. It is valid until this command ends; set RESQUE_WEB_PASSWORD to choose your own.\n", o.user, o.password)
	}
}

// serveDashboard serves until ctx ends, then lets open requests finish.
func serveDashboard(ctx context.Context, l net.Listener, dashboard dashboardHandler, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler: dashboard, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	var all sync.WaitGroup
	all.Go(func() { _ = dashboard.Run(ctx) }) // always returns nil
	all.Go(func() {
		<-ctx.Done()
		grace, end := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer end()
		_ = server.Shutdown(grace) // the remaining connections are closed below
		_ = server.Close()
	})
	err := server.Serve(l)
	cancel()
	all.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving the dashboard: %w", err)
}
