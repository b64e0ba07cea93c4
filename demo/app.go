package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gorilla/mux"
	"github.com/spf13/cobra"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/demo/cancel"
	"github.com/goresque/goresque/demo/command"
	"github.com/goresque/goresque/demo/customers"
	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/demo/fleet"
	"github.com/goresque/goresque/demo/live"
	"github.com/goresque/goresque/demo/lost"
	"github.com/goresque/goresque/demo/problem"
	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/site"
	"github.com/goresque/goresque/demo/status"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/outbox"
	"github.com/goresque/goresque/resque/scheduler"
	"github.com/goresque/goresque/web"
	"github.com/goresque/goresque/worker"
)

// App returns the goresque command with the demo's job and the command goresque
// demo. The job uses the database that getenv("DATABASE_URL") names, or else the
// demo's default one. The first job opens it.
func App(getenv func(string) string) cli.App {
	jobs := &lazyDatabase{url: getenv("DATABASE_URL")}
	return cli.App{
		Mux: func(context.Context, *resque.Client) (*resque.Mux, error) { return newMux(jobs), nil },
		Commands: []func(env *cli.Env) *cobra.Command{func(env *cli.Env) *cobra.Command {
			return command.New(env, command.App{
				Queue: Exporter.Queue(), Class: Exporter.Class(), Models: models(), Parts: parts,
				Restore: func(ctx context.Context, o command.Opened) error { return exports{o.DB}.restore(ctx) },
			})
		}},
	}
}

// models returns a model for each table of the database.
func models() []any { return append([]any{&customers.Customer{}, &Export{}}, record.Models()...) }

// lazyDatabase opens the database for the first job, because most commands of
// goresque need no database.
type lazyDatabase struct {
	url string

	mu sync.Mutex
	db *database.DB
}

func (l *lazyDatabase) find(ctx context.Context, id int64) (*Export, error) {
	db, err := l.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("export %d: %w", id, err)
	}
	return exports{db}.find(ctx, id)
}

func (l *lazyDatabase) create(ctx context.Context, rows int, seconds float64, delay time.Duration, token string) (*Export, bool, error) {
	db, err := l.open(ctx)
	if err != nil {
		return nil, false, err
	}
	return exports{db}.create(ctx, rows, seconds, delay, token)
}

func (l *lazyDatabase) open(ctx context.Context) (*database.DB, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.db != nil {
		return l.db, nil
	}
	at, err := database.Locate(l.url)
	if err != nil {
		return nil, err
	}
	// Do not create a missing file: it would not have the exports.
	if _, err := os.Stat(at.Path); at.Path != "" && err != nil {
		return nil, fmt.Errorf("no database: %w (set DATABASE_URL to the database of goresque demo)", err)
	}
	l.db, err = database.Open(ctx, at, models()...)
	return l.db, err
}

// parts returns what goresque demo runs: the web app, the dashboard, the workers and a
// scheduler.
func parts(env *cli.Env, o command.Opened) ([]command.Part, error) {
	log := env.Logger()
	dashboard, err := newDashboard(env, o)
	if err != nil {
		return nil, err
	}
	app, err := newWebApp(o.DB, o.Client, webConfig{rows: o.Rows, seconds: o.Seconds, hosts: o.Hosts, dashboard: dashboard, log: log})
	if err != nil {
		return nil, err
	}
	all := []command.Part{app.run, dashboard.Run, func(ctx context.Context) error { return site.Serve(ctx, o.Listener, app, log) }}
	if o.Workers == 0 {
		return all, nil
	}
	jobs := newMux(exports{o.DB})
	w, err := worker.New(o.Client, jobs, worker.Config{
		Queues:       []string{Exporter.Queue()},
		Concurrency:  o.Workers,
		PollInterval: 500 * time.Millisecond, // short, because a visitor waits
		Logger:       log,
	})
	if err != nil {
		return nil, err
	}
	s, err := scheduler.New(o.Client, scheduler.Config{
		Interval: time.Second, // short, because the embedded Redis cannot report changes
		Dynamic:  true,
		Mux:      jobs,
		Logger:   log,
	})
	if err != nil {
		return nil, err
	}
	return append(all, w.Run, s.Run), nil
}

// newDashboard returns the dashboard for /resque/. Visitors on this machine may do
// everything. If other machines can connect, visitors may only look, unless
// RESQUE_WEB_PASSWORD is set.
func newDashboard(env *cli.Env, o command.Opened) (*web.Dashboard, error) {
	cfg := web.Config{Auth: web.AllowEveryone(), ReadOnly: o.Hosts == nil, AllowedHosts: o.Hosts, BackURL: "/exports", Logger: env.Logger()}
	if password := env.Getenv("RESQUE_WEB_PASSWORD"); password != "" {
		cfg.Auth = web.BasicAuth(cmp.Or(env.Getenv("RESQUE_WEB_USER"), "resque"), password)
		cfg.ReadOnly = false
	}
	cfg.Prune.Handler = newMux(exports{o.DB})
	return web.New(o.Client, cfg)
}

// webConfig is what the web app needs from the command.
type webConfig struct {
	rows      int           // of each new export
	seconds   float64       // that each new export takes
	later     time.Duration // until a scheduled export is due; 0 means 30 s
	hosts     []string      // the host names to accept; nil means any
	dashboard http.Handler  // may be nil
	log       *slog.Logger  // gets the causes of 500s
	lost      time.Duration // see lost.Sweeper.After
	cutAfter  time.Duration // see problem.Config.CutAfter
	lookEvery time.Duration // see live.Config.LookEvery
	wait      time.Duration // how long a page waits for Redis at most; 0 means as long as each should
}

// webApp is exportsApp with what the packages beneath add.
type webApp struct {
	http.Handler

	exportsApp
	feed    *live.Feed
	fleet   *fleet.Fleet
	problem *problem.Problem
	sweeper *lost.Sweeper
}

func newWebApp(db *database.DB, client *resque.Client, cfg webConfig) (*webApp, error) {
	cfg.log = cmp.Or(cfg.log, slog.Default())
	pages, err := site.New(site.Config{Hosts: cfg.hosts, Log: cfg.log, Files: []fs.FS{pageFiles, live.Files(), problem.Files()}})
	if err != nil {
		return nil, err
	}
	conns, err := db.DB.DB()
	if err != nil {
		return nil, fmt.Errorf("relaying jobs: %w", err)
	}
	workers := &fleet.Fleet{
		Client: client, Queue: Exporter.Queue(), Classes: []string{Exporter.Class(), ExporterJob.Class()}, Mux: newMux(exports{db}),
		Job: func(id int64) resque.Job { return Exporter.Job(id) }, Stored: exports{db}.stored, Wait: cfg.wait,
	}
	a := &webApp{fleet: workers, sweeper: &lost.Sweeper{DB: db, Fleet: workers, Log: cfg.log, After: cfg.lost}}
	a.exportsApp = exportsApp{
		exports: exports{db}, relay: &outbox.Relay{DB: conns, Client: client, Logger: cfg.log}, jobs: client, site: pages, rows: cfg.rows, seconds: cfg.seconds, later: cmp.Or(cfg.later, 30*time.Second), wait: cfg.wait, unserved: workers.Unserved,
	}
	a.feed = live.New(live.Config{
		Version: func(ctx context.Context) (int64, error) { return record.Version(ctx, db) },
		List:    a.items, Log: cfg.log, LookEvery: cfg.lookEvery,
	})
	a.problem = problem.New(problem.Config{
		Site: pages, DB: db, Rows: cfg.rows, Seconds: cfg.seconds, CutAfter: cfg.cutAfter,
		Story: func(id int64) any { return a.panel(id, "") },
	})
	a.Handler = pages.Protect(a.router(cfg))
	return a, nil
}

// run enqueues stored jobs, and looks for changes and for lost exports, until ctx ends. Then it ends the
// requests that wait and the exports inside requests.
func (a *webApp) run(ctx context.Context) error {
	return command.Together(ctx, a.relay.Run, a.feed.Run, a.sweeper.Run, a.problem.Run)
}

// router returns the routes of the packages beneath, followed by those of exportsApp.
func (a *webApp) router(cfg webConfig) http.Handler {
	r := mux.NewRouter().UseEncodedPath() // names in the dashboard's paths may contain slashes
	get := func(path string, action site.Action) *mux.Route {
		return r.Handle(path, a.site.Handle(action)).Methods(http.MethodGet, http.MethodHead)
	}
	post := func(path string, action site.Action) {
		r.Handle(path, a.site.Handle(action)).Methods(http.MethodPost)
	}
	json := func(r *http.Request, _ *mux.RouteMatch) bool { return site.WantsJSON(r) }

	get("/exports", a.feed.News).MatcherFunc(json)
	get("/exports/events", a.feed.Events)
	get("/exports/{id}", a.feed.LongPoll(idOf, a.withExport(a.show))).MatcherFunc(json)
	stop := cancel.Actions{Client: a.jobs, DB: a.exports.db, Job: a.fleet.Job, Log: cfg.log, Wait: cfg.wait}
	post("/exports/{id}/cancel", a.withRecord(stop.Cancel))
	post("/exports/{id}/delete", a.withRecord(stop.Delete))
	get("/problem", a.problem.Page)
	post("/problem", a.problem.Export)
	get("/static/{name}", a.site.Static)
	if cfg.dashboard != nil {
		r.PathPrefix("/resque").Handler(http.StripPrefix("/resque", cfg.dashboard))
	}
	r.Handle("/", http.RedirectHandler("/exports", http.StatusSeeOther))
	a.routes(r)
	r.NotFoundHandler = a.site.Handle(func(http.ResponseWriter, *http.Request) error { return site.NoPage() })
	r.MethodNotAllowedHandler = a.site.Handle(func(rw http.ResponseWriter, req *http.Request) error {
		return site.NotAllowed(rw, req, r)
	})
	return r
}

// withRecord is withExport for an action that needs only the record.
func (a *webApp) withRecord(action func(http.ResponseWriter, *http.Request, *record.Record) error) site.Action {
	return a.withExport(func(rw http.ResponseWriter, r *http.Request, export *Export) error {
		return action(rw, r, &export.Record)
	})
}

// withID returns the export with an id, or nothing if it does not exist.
func (x exports) withID(ctx context.Context, id int64) ([]*Export, error) {
	e, err := x.find(ctx, id)
	if errors.As(err, new(*notFoundError)) {
		return nil, nil
	}
	return []*Export{e}, err
}

// items returns the exports that a page follows: one, if only is not nil, or all
// that the index lists.
func (a *webApp) items(ctx context.Context, only *int64) ([]live.Item, error) {
	all, err := a.exports.latest(ctx, exportsPerPage)
	if only != nil {
		all, err = a.exports.withID(ctx, *only)
	}
	if err != nil {
		return nil, err
	}
	places, err := record.Line(ctx, a.exports.db)
	if err != nil {
		return nil, err
	}
	items := make([]live.Item, len(all))
	for i, e := range all {
		items[i] = live.Item{ID: e.ID, Version: e.Version, JSON: status.NewJSON(&e.Record, places)}
	}
	return items, nil
}
