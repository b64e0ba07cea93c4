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
	readOnly, noAuth            bool
	hosts, origins, redact      []string
	hideArgs                    bool
}

// webCommand serves the dashboard.
//
// Ruby: resque-web.
func webCommand(env *Env) *cobra.Command {
	var o webOptions
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Serve the dashboard",
		Long: `Serves the dashboard until INT or TERM. Without a password it prints one for this
run. Beyond this machine it listens only with a password that you set, and wants
TLS before it: the password is sent with each request.`,
		Example: "  goresque web\n  RESQUE_WEB_PASSWORD=… goresque web --addr :5678 --host resque.example.com",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := UntilSignal(cmd.Context())
			defer stop()
			err := env.withClient(ctx, func(ctx context.Context, client *resque.Client) error { return o.run(ctx, env, client) })
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return nil // it was told to stop before it began
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.addr, "addr", "127.0.0.1", "host:port, host or port to listen on (default port: PORT, or 5678)")
	flags.StringVar(&o.user, "user", "resque", "name to sign in with")
	flags.StringVar(&o.password, "password", "", "password to sign in with; others can read it in the list of processes, so rather set the variable")
	flags.BoolVar(&o.noAuth, "no-auth", false, "let everybody in who reaches it; on loopback only")
	flags.BoolVar(&o.readOnly, "read-only", false, "show everything, change nothing")
	flags.StringVar(&o.title, "title", "", "name in the corner, to tell dashboards apart")
	flags.StringSliceVar(&o.hosts, "host", nil, "host name to answer to; may be repeated (default: on loopback its own names, elsewhere all)")
	flags.StringSliceVar(&o.origins, "trusted-origin", nil, "origin of a proxy that changes the Host header, such as https://jobs.example.com; may be repeated")
	flags.StringSliceVar(&o.redact, "redact", nil, "key of hash arguments whose values are not shown; may be repeated")
	flags.BoolVar(&o.hideArgs, "hide-args", false, "show no arguments at all")
	FromEnv(cmd, "addr", "RESQUE_WEB_ADDR")
	FromEnv(cmd, "user", "RESQUE_WEB_USER")
	FromEnv(cmd, "password", "RESQUE_WEB_PASSWORD")
	FromEnv(cmd, "read-only", "RESQUE_WEB_READ_ONLY")
	cmd.MarkFlagsMutuallyExclusive("password", "no-auth")
	return cmd
}

// listenAddress reads "host:port", "host", ":port" or "port". port is for what has
// none.
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
		return fmt.Errorf("listening for the dashboard: %w; choose another address with --addr", err)
	}
	defer listener.Close()
	tcp, ok := listener.Addr().(*net.TCPAddr)
	loopback := ok && tcp.IP.IsLoopback()
	if !loopback && (o.password == "" || o.noAuth) {
		return UsageErrorf("%s can be reached by others: set a password with RESQUE_WEB_PASSWORD, or listen on 127.0.0.1", o.addr)
	}
	if loopback && len(o.hosts) == 0 {
		host, _, _ := net.SplitHostPort(o.addr) // it was listened to
		o.hosts = []string{"localhost", "127.0.0.1", "::1", host}
	}
	log := env.Logger()
	dashboard, err := web.New(client, web.Config{
		Auth: o.auth(env), ReadOnly: o.readOnly, Title: o.title, AllowedHosts: o.hosts, TrustedOrigins: o.origins,
		RedactKeys: o.redact, HideArgs: o.hideArgs, Logger: log,
	})
	if err != nil {
		return UsageErrorf("%w", err)
	}
	fmt.Fprintf(env.Stdout, "The dashboard of %s is at http://%s/\n", client.Redis(), listener.Addr())
	return serveDashboard(ctx, listener, dashboard, log)
}

// auth lets in whom the flags name; without a password it makes and tells one.
func (o *webOptions) auth(env *Env) web.Auth {
	if o.noAuth {
		return web.AllowEveryone()
	}
	if o.password == "" {
		o.password = strings.ToLower(rand.Text())[:20]
		fmt.Fprintf(env.Stdout, "Sign in as %s with %s, which holds until this ends; set RESQUE_WEB_PASSWORD for one that stays.\n", o.user, o.password)
	}
	return web.BasicAuth(o.user, o.password)
}

// serveDashboard serves until ctx ends, then lets the requests in hand finish.
func serveDashboard(ctx context.Context, l net.Listener, dashboard *web.Dashboard, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler: dashboard, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	var all sync.WaitGroup
	all.Go(func() { _ = dashboard.Run(ctx) }) // it returns nil
	all.Go(func() {
		<-ctx.Done()
		grace, end := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer end()
		_ = server.Shutdown(grace) // what is left is closed below
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
