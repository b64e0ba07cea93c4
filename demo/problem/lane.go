package problem

import (
	"fmt"
	"time"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/words"
)

// lane shows the latest export of one kind: what happened, and when.
type lane struct {
	Title, Job, Empty string
	Stretches         []stretch
	Steps             []step
}

// stretch is a part of a lane's bar, which is 100 wide.
type stretch struct {
	Class    string
	X, Width float64
	from, to time.Duration
}

// step is an event, with its time since the visitor's click.
type step struct{ At, Text string }

func (l *lane) step(at time.Duration, format string, args ...any) {
	l.Steps = append(l.Steps, step{words.Seconds(at), fmt.Sprintf(format, args...)})
}

func (l *lane) stretch(class string, from, to time.Duration) {
	l.Stretches = append(l.Stretches, stretch{Class: class, from: from, to: to})
}

// lanes returns a lane for each kind of export, on one scale. The attempts must be
// sorted, newest first.
func lanes(attempts []Attempt, ready []*record.Record) []lane {
	all := []lane{
		{Title: "In the request, by a job that stops", Empty: "Not tried since the demo was started."},
		{Title: "In the request, by a job that goes on", Empty: "Not tried since the demo was started."},
		{Title: "In the background, by a worker", Empty: "No worker has built an export yet. Retried exports are not shown."},
	}
	for _, a := range attempts {
		l := &all[0]
		if a.stubborn {
			l = &all[1]
		}
		if l.Steps == nil {
			l.attempt(a, time.Now())
		}
	}
	for _, e := range ready {
		l, asked := &all[2], e.CreatedAt
		l.Job = words.Seconds(time.Duration(e.Seconds * float64(time.Second)))
		l.stretch("queued", 0, e.StartedAt.Sub(asked))
		l.stretch("work", e.StartedAt.Sub(asked), e.UpdatedAt.Sub(asked))
		l.step(0, "Export #%d is stored, and its job is enqueued.", e.ID)
		l.step(e.StartedAt.Sub(asked), "A worker takes the job.")
		l.step(e.UpdatedAt.Sub(asked), "The file is ready: %s rows, %s.", words.Thousands(e.Done), words.Size(e.Bytes))
	}
	scale(all)
	return all
}

func (l *lane) attempt(a Attempt, now time.Time) {
	l.Job = words.Seconds(time.Duration(a.seconds * float64(time.Second)))
	since := func(t time.Time) time.Duration {
		if t.IsZero() {
			t = now
		}
		return t.Sub(a.Asked)
	}
	l.step(0, "The request starts.")
	l.stretch("wait", 0, since(a.Answered))
	more := words.Thousands(a.Rows - a.Wasted)
	switch {
	case a.Answered.IsZero():
		l.step(since(now), "The visitor waits: %s of %s rows so far.", words.Thousands(a.Rows), words.Thousands(a.total))
		return
	case !a.cut && a.Err != nil:
		l.step(since(a.Answered), "The answer is 500, because of an error: “%v”.", a.Err)
		return
	case !a.cut:
		l.step(since(a.Answered), "The answer is 200 and the complete file, %s rows: there was enough time.", words.Thousands(a.Rows))
		return
	}
	end := "The answer is 503"
	if a.Left {
		end = "The visitor leaves"
	}
	l.step(since(a.Answered), "%s. The job had written %s of %s rows, which are lost.", end, words.Thousands(a.Wasted), words.Thousands(a.total))
	switch {
	case !a.stubborn:
		l.step(since(a.Ended), "The job has stopped.")
		return
	case a.Ended.IsZero():
		l.step(since(now), "The job still runs, %s after the answer. It has written %s more rows, for no visitor.", words.Seconds(now.Sub(a.Answered)), more)
	default:
		l.step(since(a.Ended), "The job ends, %s after the answer, with an error: “%v”. It wrote %s more rows, for no visitor.", words.Seconds(a.Ended.Sub(a.Answered)), a.Err, more)
	}
	l.stretch("burn", since(a.Answered), since(a.Ended))
}

// scale sets the widths so that the longest lane is 100 wide.
func scale(all []lane) {
	longest := time.Millisecond
	for _, l := range all {
		for _, s := range l.Stretches {
			longest = max(longest, s.to)
		}
	}
	for _, l := range all {
		for i := range l.Stretches {
			s := &l.Stretches[i]
			s.X, s.Width = 100*float64(s.from)/float64(longest), 100*float64(s.to-s.from)/float64(longest)
		}
	}
}
