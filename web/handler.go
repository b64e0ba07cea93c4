package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/resque"
)

// Dashboard is the handler that New returns. It is safe for concurrent use.
type Dashboard struct {
	cfg         Config
	client      *resque.Client
	failures    *resque.Failures
	crossOrigin *http.CrossOriginProtection
	routes      []route
	languages   *languages
	assets      *assets
	operations  *operations
	rates       *rates
	snapshots   snapshots
	removals    removals
	checkups    checkups
	failing     failing
	locked      atomic.Bool // there were locks when they were last looked for
	logins      *logins
	hub         *hub
	instances   []string // the names of all instances; nil if this is the only one
	instance    string
	sampleEvery time.Duration
	budgets     budgets
}

// New returns a dashboard for the client's Resque. It can be mounted below any path:
//
//	http.Handle("/resque/", http.StripPrefix("/resque", dashboard))
//
// All its links are relative. The error lists every mistake in cfg.
//
// Ruby: Resque::Server.
func New(client *resque.Client, cfg Config) (*Dashboard, error) {
	if client == nil || client.Redis() == nil {
		return nil, errors.New("web: the client is nil or has no Redis")
	}
	origins, err := trusted(cfg.TrustedOrigins)
	cfg, mistakes := cfg.withDefaults()
	if err := errors.Join(mistakes, err); err != nil {
		return nil, err
	}
	if client.Jobs() == nil { // removed jobs free their locks
		jobs := cfg.Prune.Handler
		if jobs == nil {
			jobs = resque.NewMux()
		}
		client = client.WithJobs(jobs)
	}
	h := &Dashboard{
		cfg: cfg, client: client, failures: client.Failures(),
		crossOrigin: origins, operations: newOperations(), rates: &rates{}, logins: newLogins(),
		snapshots: snapshots{reading: make(chan struct{}, 1)}, checkups: checkups{running: make(chan struct{}, 1)}, sampleEvery: sampleEvery, budgets: standardBudgets(),
	}
	h.hub = newHub(h.digests)
	if h.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if h.languages, err = loadLanguages(h.assets); err != nil {
		return nil, err
	}
	h.routes = h.table()
	return h, nil
}

// trusted accepts forms from the dashboard itself and from origins.
func trusted(origins []string) (*http.CrossOriginProtection, error) {
	p := http.NewCrossOriginProtection()
	var mistakes []error
	for _, origin := range origins {
		if err := p.AddTrustedOrigin(origin); err != nil {
			mistakes = append(mistakes, fmt.Errorf("web: trusted origin: %w", err))
		}
	}
	return p, errors.Join(mistakes...)
}

// request is a request with what the dashboard knows about it.
type request struct {
	*http.Request
	*language

	w      http.ResponseWriter
	access Access
	params map[string]string
	base   string
	path   string // below the mount, still escaped
	json   bool   // the path ends in ".json"
	poll   bool   // the path ends in ".poll"
	told   bool   // OnAction was called
}

// maxBody is the largest size of a form, in bytes.
const maxBody = 1 << 20

// ServeHTTP serves a page, or an error page.
func (h *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if r.URL.Path == "" { // the mount without a trailing slash: relative links would be wrong
		mount, _, _ := strings.Cut(r.RequestURI, "?")
		w.Header().Set("Location", "./"+path.Base(mount)+"/")
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	q := &request{Request: r, w: w, base: base(r.URL), path: strings.TrimPrefix(r.URL.EscapedPath(), "/")}
	q.language = h.languages.of(q)
	defer func() { //nolint:contextcheck // q has it
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // panic values are compared as they are
			h.refuse(q, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}
	}()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := h.serve(q); err != nil { //nolint:contextcheck // q has it
		h.refuse(q, err) //nolint:contextcheck // as above
	}
}

func (h *Dashboard) serve(q *request) error {
	path, err := segments(q.URL)
	if err != nil {
		return fail(problemNoPage, err)
	}
	found, params, allowed := match(h.routes, q.Method, path)
	if found == nil {
		found, params, q.json = matchJSON(h.routes, q.Method, path)
		q.language = h.languages.of(q)
	}
	if found != nil && found.pattern == "healthz" {
		return found.serve(q) // a load balancer does not sign in
	}
	if found != nil && found.pattern == "assets/:name" {
		q.params = params
		return found.serve(q)
	}
	if q.access, err = h.admit(q); err != nil {
		h.reportRefused(q, found, err)
		return err
	}
	switch {
	case found != nil:
		q.params, q.poll = params, strings.HasSuffix(found.pattern, ".poll")
		err := q.may(found.right)
		if err == nil {
			err = found.serve(q)
		}
		h.reportRefused(q, found, err)
		return err
	case len(allowed) > 0:
		q.w.Header().Set("Allow", strings.Join(allowed, ", "))
		return fail(problemMethod, nil)
	default:
		return fail(problemNoPage, nil)
	}
}

// reportRefused calls OnAction for a change that was refused. A request without
// credentials does not count.
func (h *Dashboard) reportRefused(q *request, found *route, err error) {
	if err == nil || q.told || found == nil || found.method == http.MethodGet || found.pattern == "settings" || found.pattern == "delayed/search" ||
		problemOf(err).status() == http.StatusUnauthorized {
		return
	}
	h.report(q.Context(), q, found.pattern, q.path, 0, err)
}

// report calls OnAction.
func (h *Dashboard) report(ctx context.Context, q *request, name, target string, count int64, err error) {
	q.told = true
	h.cfg.OnAction(ctx, Action{User: q.access.User, Name: name, Target: target, Count: count, Err: err})
}

// sampleEvery is the time between two readings in Run.
const sampleEvery = 10 * time.Second

// Run keeps the dashboard's graphs up to date while no page is open. It reads the
// state of Resque every 10 seconds and writes nothing unless KeepHistory is set. While pages are open, it reads
// the state every second and tells them what has changed. When ctx ends, Run ends the
// streams of these pages, cancels the running operation, waits for it, and returns nil.
//
// Run is optional. Without it, rates are measured only while a page is open, pages
// poll, and operations end with the process.
func (h *Dashboard) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { h.runDoctor(ctx) })
	all.Go(func() { h.hub.run(ctx) })
	away := false
	tick := time.NewTicker(h.sampleEvery)
	defer tick.Stop()
	for {
		reading, cancel := context.WithTimeout(ctx, sampleEvery)
		_, err := h.snapshot(reading)
		if err == nil && h.cfg.KeepHistory {
			err = h.client.KeepCounters(reading)
		}
		cancel()
		if err != nil && ctx.Err() == nil && !away {
			h.cfg.Logger.Warn("dashboard cannot read the state of resque, retrying", "err", err)
		}
		away = err != nil
		select {
		case <-ctx.Done():
			h.operations.stop()
			return nil
		case <-tick.C:
		}
	}
}
