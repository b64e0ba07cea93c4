// Package problem builds the export inside the request, which is cut off after a
// second. Background jobs solve this problem. The page measures both kinds of export.
package problem

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/site"
	"github.com/goresque/goresque/demo/words"
)

//go:embed templates static
var files embed.FS

// Files returns the page and its script.
func Files() embed.FS { return files }

// Config configures a Problem.
type Config struct {
	Site     *site.Site
	DB       *database.DB
	Rows     int                // of each export
	Seconds  float64            // that an export takes by default
	CutAfter time.Duration      // how long a request may take; 0 means 1 s
	Story    func(id int64) any // returns the values for the panel "What happens"
}

// Problem is the page and the exports that run inside its requests.
type Problem struct {
	cfg Config
	attempts
}

// New returns a Problem.
func New(cfg Config) *Problem {
	cfg.CutAfter = cmp.Or(cfg.CutAfter, time.Second)
	return &Problem{cfg: cfg}
}

// Page shows the form and the exports that run now. It starts none.
func (p *Problem) Page(rw http.ResponseWriter, r *http.Request) error {
	v, err := p.view(r)
	if err != nil {
		return err
	}
	v.Waiting = v.Waits+v.Burns > 0
	return p.cfg.Site.Render(rw, http.StatusOK, "problem.html", v)
}

// Export answers with the file. If that takes too long it answers 503, as Heroku's
// router and rack-timeout do.
func (p *Problem) Export(rw http.ResponseWriter, r *http.Request) error {
	life, stop := context.WithCancel(context.WithoutCancel(r.Context()))
	a := &Attempt{
		stubborn: r.FormValue("way") == "stubborn", seconds: p.secondsOf(r), total: p.cfg.Rows,
		Asked: time.Now(), stop: stop, done: make(chan struct{}),
	}
	if err := p.begin(a); err != nil {
		stop()
		return err
	}
	v := &verdict{ResponseWriter: rw}
	http.TimeoutHandler(p.job(life, a), p.cfg.CutAfter, "").ServeHTTP(v, r)
	left := r.Context().Err() != nil
	failed := v.cut && !left && time.Since(a.Asked) < p.cfg.CutAfter
	p.change(func() {
		a.Answered, a.cut, a.Left, a.Wasted = time.Now(), v.cut && !failed, left, a.Rows
	})
	switch {
	case !v.cut || left:
		return nil
	case failed:
		<-a.done // at once, because the job has failed
		if errors.Is(a.Err, context.Canceled) {
			return errStopping()
		}
		return a.Err
	case !a.stubborn:
		<-a.done // at once, because the job checks its context
	}
	return p.cutOff(rw, r, a)
}

// job is the handler of an application without background jobs. TimeoutHandler keeps
// the answer in memory until job returns, and cancels its context when the time is
// up.
func (p *Problem) job(life context.Context, a *Attempt) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx := life //nolint:contextcheck // this context ends only with the server: the mistake that the page shows
		if !a.stubborn {
			ctx = r.Context() // ends with the request
		}
		var err error
		defer func() { p.end(a, err) }()
		file, err := p.write(ctx, a, p.cfg.DB)
		if err != nil {
			// Without this, a handler that stops just before the time is up would answer
			// 200 with half a file.
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		rw.Header().Set("Content-Type", "text/csv; charset=utf-8")
		rw.Header().Set("Content-Disposition", `attachment; filename="customers.csv"`)
		_, err = rw.Write(file) // fails with http.ErrHandlerTimeout after the 503
	})
}

// verdict writes an answer unless it is a 503. The caller then writes its own page.
type verdict struct {
	http.ResponseWriter

	cut bool
}

func (v *verdict) WriteHeader(status int) {
	if v.cut = status == http.StatusServiceUnavailable; !v.cut {
		v.ResponseWriter.WriteHeader(status)
	}
}

func (v *verdict) Write(p []byte) (int, error) {
	if v.cut {
		return len(p), nil
	}
	return v.ResponseWriter.Write(p) //nolint:wrapcheck // a writer returns the error unchanged
}

func (p *Problem) cutOff(rw http.ResponseWriter, r *http.Request, a *Attempt) error {
	var cut Attempt
	p.change(func() { cut = *a })
	if site.WantsJSON(r) {
		return site.JSON(rw, http.StatusServiceUnavailable, cutJSON{
			cut.Text(), cut.seconds, cut.Answered.Sub(cut.Asked).Seconds(), progress{cut.Wasted, cut.total}, cut.Burns(), "/exports",
		})
	}
	v, err := p.view(r)
	if err != nil {
		return err
	}
	v.Cut = &cut
	return p.cfg.Site.Render(rw, http.StatusServiceUnavailable, "problem.html", v)
}

// cutJSON is what a program gets if its request was cut off.
type cutJSON struct {
	Error    string   `json:"error"`
	Seconds  float64  `json:"seconds"`       // that the export would take
	After    float64  `json:"stopped_after"` // seconds
	Progress progress `json:"progress"`      // when it was cut off
	Burning  bool     `json:"burning"`       // whether the job still runs
	Instead  string   `json:"instead"`       // POST here for an export in the background
}

type progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// secondsOf returns how long the export takes: the request's seconds, or the default.
func (p *Problem) secondsOf(r *http.Request) float64 {
	seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64)
	if err != nil || !(seconds >= 0) { // written so that NaN fails
		seconds = p.cfg.Seconds
	}
	return min(seconds, longest)
}

// view is what the page shows.
type view struct {
	site.Head

	Seconds      string
	CutAfter     string
	Longest      int // seconds
	StubbornMost int
	Processors   int
	Token, Host  string
	Cut          *Attempt // the attempt of this request, if it was cut off
	Waits, Burns int
	Lanes        []lane
	Story        any
}

func (p *Problem) view(r *http.Request) (v view, err error) {
	ready, err := record.LastReady(r.Context(), p.cfg.DB)
	if err != nil {
		return v, err
	}
	all := p.Look()
	for _, a := range all {
		if a.Burns() {
			v.Burns++
		} else if a.Ended.IsZero() {
			v.Waits++
		}
	}
	v.Head = site.Head{Mode: "problem"}
	v.Seconds, v.CutAfter = strconv.FormatFloat(p.secondsOf(r), 'f', -1, 64), words.Seconds(p.cfg.CutAfter)
	v.Longest, v.StubbornMost, v.Processors = longest, MostStubborn, runtime.GOMAXPROCS(0)
	v.Token, v.Host, v.Lanes = rand.Text(), r.Host, lanes(all, ready)
	id := int64(1)
	if len(ready) > 0 {
		id = ready[0].ID
	}
	v.Story = p.cfg.Story(id)
	return v, nil
}
