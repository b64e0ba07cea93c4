package demo

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
)

// What visitors may ask of the server at once: enough to see the problem, too
// little to have it.
const (
	longestAttempt = 10 // seconds
	mostAttempts   = 20
	mostStubborn   = 2 // of them
)

// attempt is an export inside a request. What changes is guarded by its problem.
type attempt struct {
	stubborn bool
	seconds  float64
	total    int
	asked    time.Time
	stop     context.CancelFunc // ends one that is stubborn
	done     chan struct{}      // closed at its end

	rows            int // written, to memory
	answered, ended time.Time
	cut             bool // off by the answer, a 503, or by its visitor, who
	left            bool
	wasted          int // rows written by then
	err             error
}

// Stubborn reports whether it goes on when its request has been cut off.
func (a attempt) Stubborn() bool { return a.stubborn }

// Burns reports whether it goes on for nobody.
func (a attempt) Burns() bool { return a.cut && a.ended.IsZero() }

// Text is what a visitor reads who was cut off.
func (a attempt) Text() string {
	return fmt.Sprintf("The request was stopped after %s. The server had written %s of %s rows, now wasted.",
		inSeconds(a.answered.Sub(a.asked)), thousands(a.wasted), thousands(a.total))
}

// problem owns the attempts in this server: none outlives run.
type problem struct {
	running sync.WaitGroup

	mu       sync.Mutex
	stopping bool
	attempts []*attempt // newest first: all that run, and the latest
}

// run waits for ctx to end, then ends the attempts.
func (p *problem) run(ctx context.Context) error {
	<-ctx.Done()
	p.change(func() {
		p.stopping = true
		for _, a := range p.attempts {
			a.stop()
		}
	})
	p.running.Wait()
	return nil
}

func (p *problem) change(how func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	how()
}

func (p *problem) begin(a *attempt) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	running, stubborn := 0, 0
	for _, other := range p.attempts {
		if other.ended.IsZero() {
			running++
			if other.stubborn {
				stubborn++
			}
		}
	}
	switch {
	case p.stopping:
		return errStopping()
	case running == mostAttempts || a.stubborn && stubborn == mostStubborn:
		return &statusError{
			http.StatusTooManyRequests, "Busy enough",
			fmt.Sprintf("The demo lets %d such requests run at once, and %d that go on after the answer. Try again in some seconds.", mostAttempts, mostStubborn),
		}
	}
	p.running.Add(1)
	newer := 0
	p.attempts = slices.DeleteFunc(append([]*attempt{a}, p.attempts...), func(old *attempt) bool {
		newer++
		return newer > mostAttempts && !old.ended.IsZero()
	})
	return nil
}

func errStopping() error {
	return &statusError{http.StatusServiceUnavailable, "Stopping", "The server is being stopped, and the export with it."}
}

func (p *problem) end(a *attempt, err error) {
	p.change(func() { a.ended, a.err = time.Now(), err })
	a.stop()
	close(a.done)
	p.running.Done()
}

// look is how the attempts are now.
func (p *problem) look() (all []attempt) {
	p.change(func() {
		for _, a := range p.attempts {
			all = append(all, *a)
		}
	})
	return all
}

// write is the lengthy computation, where there are no jobs: it fills a file in
// memory and keeps a processor busy until a.seconds are over. It ends with ctx,
// and that is all there is to obeying.
func (p *problem) write(ctx context.Context, a *attempt, from *database) ([]byte, error) {
	var file bytes.Buffer // no write to it fails
	lines := csv.NewWriter(&file)
	_ = lines.Write(customerHeader())
	read := &Export{Total: a.total, db: from.gorm}
	for last := int64(0); read.Done < read.Total; {
		customers, err := read.customersAfter(ctx, last)
		if err != nil {
			return nil, err
		}
		for _, c := range customers {
			_ = lines.Write(c.record())
			share := float64(read.Done+1) / float64(a.total)
			compute(ctx, a.asked.Add(time.Duration(share*a.seconds*float64(time.Second))))
			if ctx.Err() != nil {
				return nil, fmt.Errorf("stopped after %d of %d rows: %w", read.Done, a.total, ctx.Err())
			}
			read.Done++
			last = c.ID
			p.change(func() { a.rows = read.Done })
		}
	}
	lines.Flush()
	return file.Bytes(), nil
}

// compute burns a processor until a time, or until ctx ends.
func compute(ctx context.Context, until time.Time) {
	for sum := [sha256.Size]byte{}; ctx.Err() == nil && time.Now().Before(until); {
		sum = sha256.Sum256(sum[:])
	}
}
