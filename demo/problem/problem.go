// Package problem does the export inside the request, where it is cut off: the
// mistake that background jobs solve, on a page that measures both ways.
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

// Config says what the page does and shows.
type Config struct {
	Site     *site.Site
	DB       *database.DB
	Rows     int           // of an export
	Seconds  float64       // that an export takes
	CutAfter time.Duration // 0 means 1 s
	Story    func(id int64) any
}

// Problem is the page, with the exports that run inside its requests.
type Problem struct {
	cfg Config
	attempts
}

// New returns a problem.
func New(cfg Config) *Problem {
	cfg.CutAfter = cmp.Or(cfg.CutAfter, time.Second)
	return &Problem{cfg: cfg}
}

// Page shows the export inside a request, and those that run now. It begins none.
func (p *Problem) Page(rw http.ResponseWriter, r *http.Request) error {
	v, err := p.view(r)
	if err != nil {
		return err
	}
	v.Waiting = v.Waits+v.Burns > 0
	return p.cfg.Site.Render(rw, http.StatusOK, "problem.html", v)
}

// Export answers with the file, or with a 503 if that takes too long, as Heroku's
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
		<-a.done // it has failed, so it ends now
		if errors.Is(a.Err, context.Canceled) {
			return errStopping()
		}
		return a.Err
	case !a.stubborn:
		<-a.done // at once
	}
	return p.cutOff(rw, r, a)
}

// job is what an application's handler would be. TimeoutHandler keeps the answer
// in memory until job returns, and ends its context when the time is over.
func (p *Problem) job(life context.Context, a *Attempt) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx := life //nolint:contextcheck // the mistake that this page shows: it ends only with the server
		if !a.stubborn {
			ctx = r.Context() // ends with the request
		}
		var err error
		defer func() { p.end(a, err) }()
		file, err := p.write(ctx, a, p.cfg.DB)
		if err != nil {
			// Otherwise a handler that stops at the last moment answers 200 with half a file.
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		rw.Header().Set("Content-Type", "text/csv; charset=utf-8")
		rw.Header().Set("Content-Disposition", `attachment; filename="customers.csv"`)
		_, err = rw.Write(file) // http.ErrHandlerTimeout if the answer has been given
	})
}

// verdict passes an answer on unless it is a 503, which gets a page of ours.
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
	return v.ResponseWriter.Write(p) //nolint:wrapcheck // a writer returns it as it is
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

// cutJSON is what a program gets instead of the file.
type cutJSON struct {
	Error    string   `json:"error"`
	Seconds  float64  `json:"seconds"`       // that the export takes
	After    float64  `json:"stopped_after"` // in seconds
	Progress progress `json:"progress"`      // by then
	Burning  bool     `json:"burning"`       // the job goes on for no visitor
	Instead  string   `json:"instead"`       // POST there
}

type progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// secondsOf returns how long an export takes: as long as one in the background,
// unless the request says otherwise.
func (p *Problem) secondsOf(r *http.Request) float64 {
	seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64)
	if err != nil || !(seconds >= 0) { // also not NaN
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
	Cut          *Attempt // by the request that the page answers
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
