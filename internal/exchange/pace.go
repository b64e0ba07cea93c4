package exchange

import "time"

const (
	// brief is how long jobs take for which no goroutine is woken: to wake one takes about
	// as long, and keeps a second processor busy, which Redis may need.
	brief = 10 * time.Microsecond

	// alone is how long one goroutine may perform brief jobs before it is checked whether
	// its job takes longer than expected.
	alone = time.Millisecond

	// wary is for how many jobs another goroutine is woken after a job took longer than
	// expected: among brief jobs there may be more of these.
	wary = 4000
)

// pace decides whether a goroutine that got a job wakes another one, which takes the next
// job or makes the next call. If the last jobs were brief, it does not: it takes the next
// job itself before the other one would. In case its job takes long, a timer wakes the
// other one. Exchange.mu guards the fields.
type pace struct {
	start   time.Time
	usual   time.Duration // how long the last jobs took, a moving average
	given   uint64        // number of jobs that goroutines got
	seen    uint64        // given at the last tick
	wary    uint64        // given until which jobs are not taken for brief
	ticking bool          // the timer runs
	timer   *time.Timer   // nil until it is needed
}

func newPace() pace { return pace{start: time.Now(), usual: alone} }

// brief reports whether the next job is expected to be brief.
func (p *pace) brief() bool { return p.usual < brief && p.given > p.wary }

// now returns the time since the start; it takes less time than time.Now.
func (p *pace) now() time.Duration { return time.Since(p.start) }

// note notes how long a job took.
func (p *pace) note(took time.Duration) { p.usual += (min(took, alone) - p.usual) / 16 }

// beginLocked notes that a goroutine gets a job, and wakes another one if there is more to
// do, at once or when that job turns out to take long.
func (x *Exchange) beginLocked() {
	p := &x.pace
	p.given++
	x.searching--
	switch {
	case !x.needsHelpLocked():
	case !p.brief():
		x.wakeOneLocked()
	case !p.ticking:
		p.ticking, p.seen = true, p.given
		if p.timer == nil {
			p.timer = time.AfterFunc(alone, x.tick)
		} else {
			p.timer.Reset(alone)
		}
	}
	x.noteIdleLocked()
}

// tick wakes a goroutine if there is something to do and no job was given since the last
// tick.
func (x *Exchange) tick() {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := &x.pace
	if p.given != p.seen {
		p.seen = p.given
		p.timer.Reset(alone)
		return
	}
	p.ticking = false
	if x.needsHelpLocked() {
		p.wary = p.given + wary
		x.wakeOneLocked()
	}
}
