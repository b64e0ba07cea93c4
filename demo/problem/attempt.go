package problem

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/goresque/goresque/demo/customers"
	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/demo/site"
	"github.com/goresque/goresque/demo/words"
)

// The limits for all visitors together. They are high enough to show the problem, and
// low enough not to cause a real one.
const (
	longest      = 10 // seconds
	mostAttempts = 20 // at the same time
	MostStubborn = 2  // stubborn attempts at the same time
)

// Attempt is an export inside a request. It is cut off if its request gets a 503 or
// if its visitor leaves. A stubborn attempt ignores that and runs to its end; others
// stop. The mutex of attempts guards the fields below done.
type Attempt struct {
	stubborn bool
	seconds  float64
	total    int
	Asked    time.Time
	stop     context.CancelFunc // stops a stubborn attempt
	done     chan struct{}      // closed when the attempt has ended

	Rows            int // written to memory
	Answered, Ended time.Time
	cut             bool // whether it was cut off
	Left            bool // whether its visitor left
	Wasted          int  // rows written before the answer
	Err             error
}

// Stubborn reports whether the attempt ignores its request's context.
func (a Attempt) Stubborn() bool { return a.stubborn }

// Burns reports whether the attempt was cut off and still runs.
func (a Attempt) Burns() bool { return a.cut && a.Ended.IsZero() }

// Done returns a channel that is closed when the attempt has ended.
func (a Attempt) Done() <-chan struct{} { return a.done }

// Text returns what a visitor whose request was cut off reads.
func (a Attempt) Text() string {
	return fmt.Sprintf("The request was stopped after %s. The server had written %s of %s rows, now wasted.",
		words.Seconds(a.Answered.Sub(a.Asked)), words.Thousands(a.Wasted), words.Thousands(a.total))
}

// attempts owns the exports inside requests. All end before Run returns.
type attempts struct {
	running sync.WaitGroup

	mu       sync.Mutex
	stopping bool
	all      []*Attempt // newest first: all running ones and the latest others
}

// Run waits until ctx ends, then ends the attempts.
func (p *attempts) Run(ctx context.Context) error {
	<-ctx.Done()
	p.change(func() {
		p.stopping = true
		for _, a := range p.all {
			a.stop()
		}
	})
	p.running.Wait()
	return nil
}

func (p *attempts) change(how func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	how()
}

func (p *attempts) begin(a *Attempt) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	running, stubborn := 0, 0
	for _, other := range p.all {
		if other.Ended.IsZero() {
			running++
			if other.stubborn {
				stubborn++
			}
		}
	}
	switch {
	case p.stopping:
		return errStopping()
	case running == mostAttempts || a.stubborn && stubborn == MostStubborn:
		return &site.Error{
			Status: http.StatusTooManyRequests, Title: "Too many requests",
			Text: fmt.Sprintf("The demo runs at most %d such requests at once, and at most %d that go on after the answer. Try again in a few seconds.", mostAttempts, MostStubborn),
		}
	}
	p.running.Add(1)
	newer := 0
	p.all = slices.DeleteFunc(append([]*Attempt{a}, p.all...), func(old *Attempt) bool {
		newer++
		return newer > mostAttempts && !old.Ended.IsZero()
	})
	return nil
}

func errStopping() error {
	return &site.Error{Status: http.StatusServiceUnavailable, Title: "Server is stopping", Text: "The server is stopping and did not finish the export."}
}

func (p *attempts) end(a *Attempt, err error) {
	p.change(func() { a.Ended, a.Err = time.Now(), err })
	a.stop()
	close(a.done)
	p.running.Done()
}

// Look returns copies of the attempts, newest first.
func (p *attempts) Look() (all []Attempt) {
	p.change(func() {
		for _, a := range p.all {
			all = append(all, *a)
		}
	})
	return all
}

// write is the lengthy computation: it writes a file to memory and keeps a processor
// busy for a.seconds. It checks ctx at each row and returns when ctx has ended.
func (p *attempts) write(ctx context.Context, a *Attempt, from *database.DB) ([]byte, error) {
	var file bytes.Buffer // writing to it never fails
	lines := csv.NewWriter(&file)
	_ = lines.Write(customers.Header())
	done := 0
	for part, err := range customers.First(ctx, from, a.total) {
		if err != nil {
			return nil, err
		}
		for _, c := range part {
			_ = lines.Write(c.Line())
			share := float64(done+1) / float64(a.total)
			compute(ctx, a.Asked.Add(time.Duration(share*a.seconds*float64(time.Second))))
			if ctx.Err() != nil {
				return nil, fmt.Errorf("stopped after %d of %d rows: %w", done, a.total, ctx.Err())
			}
			done++
			p.change(func() { a.Rows = done })
		}
	}
	lines.Flush()
	return file.Bytes(), nil
}

// compute keeps a processor busy until a time, or until ctx ends.
func compute(ctx context.Context, until time.Time) {
	for sum := [sha256.Size]byte{}; ctx.Err() == nil && time.Now().Before(until); {
		sum = sha256.Sum256(sum[:])
	}
}
