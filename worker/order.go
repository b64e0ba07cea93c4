package worker

// order is what a running worker is told to do.
type order int

const (
	quit order = iota
	term
	interrupt
	abort
	endJobs
	hold
	resume
)

// Quit takes no more jobs and finishes those in hand, without a limit; Run then
// returns. A Term after it still counts.
//
// Ruby: Resque::Worker#shutdown, on QUIT.
func (w *Worker) Quit() { w.tell(quit) }

// Term stops the worker as Config says (TermChild, GracefulTerm, ForkPerJob). A
// second one changes nothing.
//
// Ruby: TERM.
func (w *Worker) Term() { w.tell(term) }

// Interrupt stops the worker as Term does, GracefulTerm or not.
//
// Ruby: Resque::Worker#shutdown!, on INT.
func (w *Worker) Interrupt() { w.tell(interrupt) }

// Abort gives up the jobs in hand at once; Run returns as soon as Redis has it.
// Handlers that run in this process are left to themselves.
func (w *Worker) Abort() { w.tell(abort) }

// EndJobs ends the jobs in hand, and the worker goes on. A job in this process
// has its context ended, with resque.ErrTerm as the cause; one that goes on all
// the same keeps its slot and counts as Stuck. A child is told the same with
// TermChild, and killed after TermTimeout or, without TermChild, at once.
//
// Ruby: Resque::Worker#kill_child and #new_kill_child, on USR1.
func (w *Worker) EndJobs() { w.tell(endJobs) }

// Pause takes no more jobs until Resume.
//
// Ruby: Resque::Worker#pause_processing, on USR2.
func (w *Worker) Pause() { w.tell(hold) }

// Resume takes jobs again.
//
// Ruby: Resque::Worker#unpause_processing, on CONT.
func (w *Worker) Resume() { w.tell(resume) }

// tell hands an order to the Run that is, or the next one. Nobody can follow
// more of them than the channel holds.
func (w *Worker) tell(o order) {
	select {
	case w.orders <- o:
	default:
	}
}
