package demo

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"time"
)

// problemPage tells of the export inside a request, and of those that are in this
// server now. It begins none.
func (w *webApp) problemPage(rw http.ResponseWriter, r *http.Request) error {
	v, err := w.problemView(r)
	if err != nil {
		return err
	}
	v.Waiting = v.Waits+v.Burns > 0
	return w.pages.render(rw, http.StatusOK, "problem.html", v)
}

// exportInside answers with the file, or, where that takes too long, with a 503,
// as Heroku's router and rack-timeout do.
func (w *webApp) exportInside(rw http.ResponseWriter, r *http.Request) error {
	life, stop := context.WithCancel(context.WithoutCancel(r.Context()))
	a := &attempt{
		stubborn: r.FormValue("way") == "stubborn", seconds: w.secondsOf(r), total: w.cfg.rows,
		asked: time.Now(), stop: stop, done: make(chan struct{}),
	}
	if err := w.problem.begin(a); err != nil {
		stop()
		return err
	}
	v := &verdict{ResponseWriter: rw}
	http.TimeoutHandler(w.job(life, a), w.cutAfter(), "").ServeHTTP(v, r)
	left := r.Context().Err() != nil
	failed := v.cut && !left && time.Since(a.asked) < w.cutAfter()
	w.problem.change(func() {
		a.answered, a.cut, a.left, a.wasted = time.Now(), v.cut && !failed, left, a.rows
	})
	switch {
	case !v.cut || left:
		return nil
	case failed:
		<-a.done // that is why we are here
		if errors.Is(a.err, context.Canceled) {
			return errStopping()
		}
		return a.err
	case !a.stubborn:
		<-a.done // at once
	}
	return w.cutOff(rw, r, a)
}

// job is what an application's handler would be. TimeoutHandler keeps what it
// answers in memory until it returns, and ends its context when the time is up.
func (w *webApp) job(life context.Context, a *attempt) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx := life //nolint:contextcheck // the mistake that this page is about: it ends with the server only
		if !a.stubborn {
			ctx = r.Context() // ends with the request
		}
		var err error
		defer func() { w.problem.end(a, err) }()
		file, err := w.problem.write(ctx, a, w.db)
		if err != nil {
			// Without this a handler that obeys in the last moment answers 200, with half a file.
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		rw.Header().Set("Content-Type", "text/csv; charset=utf-8")
		rw.Header().Set("Content-Disposition", `attachment; filename="customers.csv"`)
		_, err = rw.Write(file) // http.ErrHandlerTimeout, if nobody is there any more to have it
	})
}

// verdict passes on an answer, but for a 503: that is a page of ours.
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
	return v.ResponseWriter.Write(p) //nolint:wrapcheck // it is what a writer returns
}

func (w *webApp) cutOff(rw http.ResponseWriter, r *http.Request, a *attempt) error {
	var cut attempt
	w.problem.change(func() { cut = *a })
	if wantsJSON(r) {
		return renderJSON(rw, http.StatusServiceUnavailable, cutJSON{
			cut.Text(), cut.seconds, cut.answered.Sub(cut.asked).Seconds(), progress{cut.wasted, cut.total}, cut.Burns(), "/exports",
		})
	}
	v, err := w.problemView(r)
	if err != nil {
		return err
	}
	v.Cut = &cut
	return w.pages.render(rw, http.StatusServiceUnavailable, "problem.html", v)
}

// cutJSON is what a client gets instead of the file.
type cutJSON struct {
	Error    string   `json:"error"`
	Seconds  float64  `json:"seconds"`       // that the export takes
	After    float64  `json:"stopped_after"` // seconds, too
	Progress progress `json:"progress"`      // by then
	Burning  bool     `json:"burning"`       // the job goes on for nobody
	Instead  string   `json:"instead"`       // POST there
}

func (w *webApp) cutAfter() time.Duration { return cmp.Or(w.cfg.cutAfter, time.Second) }

// secondsOf is how long an export is to take: as long as one in the background,
// unless the request says otherwise.
func (w *webApp) secondsOf(r *http.Request) float64 {
	seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64)
	if err != nil || !(seconds >= 0) { // also not NaN
		seconds = w.cfg.seconds
	}
	return min(seconds, longestAttempt)
}

// problemView is what the page shows.
type problemView struct {
	head
	Seconds      string
	CutAfter     string
	Longest      int // seconds
	StubbornMost int
	Processors   int
	Token, Host  string
	Cut          *attempt // by the request that the page answers
	Waits, Burns int
	Lanes        []lane
	Story        storyView
}

func (w *webApp) problemView(r *http.Request) (v problemView, err error) {
	ready, err := w.db.lastReady(r.Context())
	if err != nil {
		return v, err
	}
	attempts := w.problem.look()
	for _, a := range attempts {
		if a.Burns() {
			v.Burns++
		} else if a.ended.IsZero() {
			v.Waits++
		}
	}
	v.head = head{Mode: "problem"}
	v.Seconds, v.CutAfter = strconv.FormatFloat(w.secondsOf(r), 'f', -1, 64), inSeconds(w.cutAfter())
	v.Longest, v.StubbornMost, v.Processors = longestAttempt, mostStubborn, runtime.GOMAXPROCS(0)
	v.Token, v.Host = rand.Text(), r.Host
	v.Lanes, v.Story = lanes(attempts, ready), w.story(ready, "")
	return v, nil
}
