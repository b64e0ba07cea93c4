package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/goresque/goresque/resque"
)

// webConfig is what the web app is told by the command.
type webConfig struct {
	rows    int           // of each new export
	seconds float64       // that each new export takes
	hosts   []string      // the names we answer to; none means any
	resque  http.Handler  // the dashboard
	lost    time.Duration // without a change, before Resque is asked whether an export's worker lives; 0 means 12 s
	log     *slog.Logger  // gets the causes of 500s

	cutAfter time.Duration // for an export inside a request; 0 means 1 s
}

// webApp serves the pages, and looks after the exports while it runs.
type webApp struct {
	http.Handler // fit to be shown to a browser

	cfg     webConfig
	db      *database
	jobs    *resque.Client
	pages   *pages
	watch   *watcher
	fleet   *fleet
	problem problem
}

func newWebApp(db *database, jobs *resque.Client, cfg webConfig) (*webApp, error) {
	cfg.log = cmp.Or(cfg.log, slog.Default())
	p, err := newPages()
	if err != nil {
		return nil, err
	}
	w := &webApp{cfg: cfg, db: db, jobs: jobs, pages: p, watch: newWatcher(db, cfg.log), fleet: &fleet{jobs: jobs}}

	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(w.handle(func(http.ResponseWriter, *http.Request) error {
		return &statusError{http.StatusForbidden, "Not from here", "This request came from another site, so nothing was done."}
	}))
	w.Handler = w.ownHosts(secure(sameOrigin.Handler(w.routes())))
	return w, nil
}

// run looks for changes and for lost exports until ctx ends. Requests that wait
// and exports inside requests end with it.
func (w *webApp) run(ctx context.Context) error {
	s := &sweeper{db: w.db, jobs: w.jobs, log: w.cfg.log, after: cmp.Or(w.cfg.lost, 12*time.Second)}
	return together(ctx, w.watch.run, s.run, w.problem.run)
}

func (w *webApp) routes() http.Handler {
	r := mux.NewRouter().UseEncodedPath() // names in the dashboard's paths may have slashes
	get := func(path string, a action) { r.Handle(path, w.handle(a)).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, a action) { r.Handle(path, w.handle(a)).Methods(http.MethodPost) }

	get("/exports", w.index)
	post("/exports", w.create)
	get("/exports/events", w.events)
	get("/exports/{id}", w.withExport(w.show))
	get("/exports/{id}/download", w.withExport(w.download))
	post("/exports/{id}/retry", w.withExport(w.retry))
	post("/exports/{id}/cancel", w.withExport(w.cancel))
	post("/exports/{id}/delete", w.withExport(w.remove))
	get("/problem", w.problemPage)
	post("/problem", w.exportInside)
	get("/static/{name}", w.pages.static)
	if w.cfg.resque != nil {
		r.PathPrefix("/resque").Handler(http.StripPrefix("/resque", w.cfg.resque))
	}
	r.Handle("/", http.RedirectHandler("/exports", http.StatusSeeOther))

	r.NotFoundHandler = w.handle(func(http.ResponseWriter, *http.Request) error { return errNoPage() })
	r.MethodNotAllowedHandler = w.handle(func(rw http.ResponseWriter, req *http.Request) error {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			other := req.Clone(req.Context())
			other.Method = method
			if match := (mux.RouteMatch{}); r.Match(other, &match) && match.MatchErr == nil {
				rw.Header().Add("Allow", method)
			}
		}
		return &statusError{http.StatusMethodNotAllowed, "Not like that", "This page cannot be asked for with " + req.Method + "."}
	})
	return r
}

// secure sets what every answer says to the browser: run nothing but our own
// files, and let nobody frame us.
func secure(next http.Handler) http.Handler {
	const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(rw, r)
	})
}

// ownHosts refuses names that are not ours. A foreign name that resolves to
// loopback is how another site's page would read this one (DNS rebinding).
func (w *webApp) ownHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil { // no port
			host = strings.Trim(r.Host, "[]")
		}
		if len(w.cfg.hosts) > 0 && !slices.Contains(w.cfg.hosts, strings.ToLower(host)) {
			http.Error(rw, "This demo answers to localhost only, unless --addr has it listen elsewhere.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

// serveWeb serves until ctx ends, then lets the requests in hand finish.
func serveWeb(ctx context.Context, l net.Listener, app *webApp, log *slog.Logger) error {
	return together(ctx, app.run, func(ctx context.Context) error { return serve(ctx, l, app, log) })
}

func serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute, // what takes longer moves it on, see keepOpen
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		ended <- srv.Shutdown(grace)
	})
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("serving the web app: %w", err)
	}
	if err := <-ended; err != nil {
		return errors.Join(fmt.Errorf("ending the web app: %w", err), srv.Close())
	}
	return nil
}
