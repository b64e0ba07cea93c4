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

// What visitors may ask of the server at once: enough to see the problem, too
// little to cause one.
const (
	longest      = 10 // seconds
	mostAttempts = 20
	MostStubborn = 2 // of them
)

// Attempt is an export inside a request. Problem guards what changes.
type Attempt struct {
	stubborn bool
	seconds  float64
	total    int
	Asked    time.Time
	stop     context.CancelFunc // ends one that is stubborn
	done     chan struct{}      // closed at its end

	Rows            int // written, to memory
	Answered, Ended time.Time
	cut             bool // off by the answer, a 503, or because its visitor left
	Left            bool // by its visitor
	Wasted          int  // rows written by then
	Err             error
}

// Stubborn reports whether it goes on after its request was cut off.
func (a Attempt) Stubborn() bool { return a.stubborn }

// Burns reports whether it goes on for no visitor.
func (a Attempt) Burns() bool { return a.cut && a.Ended.IsZero() }

// Done is closed when it has ended.
func (a Attempt) Done() <-chan struct{} { return a.done }

// Text is what a visitor reads who was cut off.
func (a Attempt) Text() string {
	return fmt.Sprintf("The request was stopped after %s. The server had written %s of %s rows, now wasted.",
		words.Seconds(a.Answered.Sub(a.Asked)), words.Thousands(a.Wasted), words.Thousands(a.total))
}

// attempts owns the exports inside requests: none outlives Run.
type attempts struct {
	running sync.WaitGroup

	mu       sync.Mutex
	stopping bool
	all      []*Attempt // newest first: all that run, and the latest
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
			Status: http.StatusTooManyRequests, Title: "Busy enough",
			Text: fmt.Sprintf("The demo lets %d such requests run at once, and %d that go on after the answer. Try again in some seconds.", mostAttempts, MostStubborn),
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
	return &site.Error{Status: http.StatusServiceUnavailable, Title: "Stopping", Text: "The server is being stopped, and the export with it."}
}

func (p *attempts) end(a *Attempt, err error) {
	p.change(func() { a.Ended, a.Err = time.Now(), err })
	a.stop()
	close(a.done)
	p.running.Done()
}

// Look returns the attempts as they are now, newest first.
func (p *attempts) Look() (all []Attempt) {
	p.change(func() {
		for _, a := range p.all {
			all = append(all, *a)
		}
	})
	return all
}

// write is the lengthy computation: it fills a file in memory and keeps a processor
// busy until a.seconds are over. It ends when ctx ends, which it asks at each row.
func (p *attempts) write(ctx context.Context, a *Attempt, from *database.DB) ([]byte, error) {
	var file bytes.Buffer // no write to it fails
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
