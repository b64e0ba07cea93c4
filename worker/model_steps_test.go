package worker_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/status"
)

func (m *policyModel) push(f found) {
	j := &modelJob{class: &m.classes[m.pick(len(m.classes))], key: []string{"a", "b"}[m.pick(2)], id: len(m.jobs)}
	m.jobs = append(m.jobs, j)
	job := j.job()
	if m.pick(4) == 0 {
		job = job.In(time.Hour)
	}
	receipt, err := m.client.Enqueue(m.t.Context(), job)
	m.note("push %v: %s", j, receipt.State)
	require.NoError(m.t, err)
	if receipt.Enqueued() {
		j.copies++
	}
	waits, runs := m.equal(f, j)
	if !m.unclear[j.group()] {
		refused := j.class.refusesWaiting && waits > 0 || j.class.refusesRunning && runs > 0
		require.Equal(m.t, refused, receipt.State == resque.Duplicate, "%v, of which %d equal jobs wait and %d run", j, waits, runs)
	}
}

// start lets a worker that has no job take one.
func (m *policyModel) start(w *modelWorker) {
	ctx, drain := context.WithCancel(context.WithoutCancel(m.t.Context()))
	w.last, w.drain, w.killed, w.pruned = false, drain, false, false
	w.next, w.stop = iter.Pull(func(yield func(*modelJob) bool) {
		w.yield = yield
		w.working = w.WorkOff(ctx)
	})
	m.goOn(w)
}

// goOn lets a worker go on until it performs a job, or has stopped.
func (m *policyModel) goOn(w *modelWorker) {
	j, ok := w.next()
	if !ok {
		m.note("worker %s stops", w.id)
		w.stop()
		w.drain()
		w.job = nil
		require.NoError(m.t, w.working)
		return
	}
	w.job, w.id = j, w.IDs()[0]
	m.note("worker %s performs %v", w.id, j)
	running := 0
	for _, other := range m.workers {
		if other.job != nil && !other.pruned && other.job.group() == j.group() {
			running++
		}
	}
	if j.class.places > 0 {
		require.LessOrEqual(m.t, running, j.class.places, "running copies of %s", j.group())
	}
	if j.class.alone || j.class.refusesRunning && !m.unclear[j.group()] {
		require.Equal(m.t, 1, running, "running copies of %s", j.group())
	}
}

// end ends the job of a worker.
func (m *policyModel) end(w *modelWorker, result error) {
	w.result, w.last = result, w.pruned || m.pick(2) == 0
	m.note("worker %s ends %v: %v; takes no more: %v", w.id, w.job, result, w.last)
	if result == nil && !w.pruned {
		w.job.done++
	}
	m.goOn(w)
}

func (m *policyModel) prune(w *modelWorker) {
	how := resque.PruneOptions{Handler: m.mux, Force: true, Logger: quiet(m.t, nil), CrashLimit: 3 * m.pick(2)}
	pruned, err := m.client.Prune(m.t.Context(), w.id, how)
	m.note("prune %s, crash limit %d: requeued %v, retried %v", w.id, how.CrashLimit, pruned.Requeued, pruned.Retried)
	require.NoError(m.t, err)
	w.pruned = true
}

// work does something with a worker.
func (m *policyModel) work(w *modelWorker) {
	results := []error{nil, nil, errBoom, errBoom, resque.Discard(errBoom), resque.Snooze(0), resque.Snooze(time.Hour)}
	switch {
	case w.job == nil:
		m.start(w)
	case w.killed && !w.pruned:
		m.prune(w)
	case m.pick(5) == 0 && !w.killed:
		m.note("kill %s", w.id)
		w.killed = true
	default: // a pruned worker, that was not dead, ends its job
		m.end(w, results[m.pick(len(results))])
	}
}

// remove removes a job that waits, in one of several ways.
func (m *policyModel) remove(f found) {
	ctx := m.t.Context()
	n := m.pick(len(f.queued) + len(f.delayed) + 1)
	var p resque.BulkProgress
	var err error
	switch how := m.pick(3); {
	case n < len(f.queued) && how == 0:
		j := m.jobs[m.idOf(f.queued[n])]
		m.note("dequeue %v", j)
		p.Done, _, err = m.client.Dequeue(ctx, j.job())
		j.take(p.Done)
	case n < len(f.queued) && how == 1 && f.runs[m.idOf(f.queued[n])] == 0:
		j := m.jobs[m.idOf(f.queued[n])]
		m.note("cancel %v", j)
		var did resque.Canceled
		did, err = m.client.Cancel(ctx, j.job())
		j.take(did.Total())
	case n < len(f.queued):
		j := m.jobs[m.idOf(f.queued[n])]
		m.note("remove %v from the queue", j)
		p, err = m.client.Queue("work").Remove(ctx, resque.RemoveOptions{}, f.queued[n].ID)
		j.take(p.Done)
	case n < len(f.queued)+len(f.delayed):
		d := f.delayed[n-len(f.queued)]
		j := m.jobs[jobNumber(m.t, d.Args)]
		m.note("remove %v from the delayed jobs", j)
		p, err = m.client.Delayed().Remove(ctx, resque.RemoveOptions{}, d.ID)
		j.take(p.Done)
	}
	require.NoError(m.t, err)
}

// repair removes a failure, or requeues its job.
func (m *policyModel) repair(f found) {
	if len(f.failed) == 0 {
		return
	}
	failed := f.failed[m.pick(len(f.failed))]
	j := m.jobs[jobNumber(m.t, failed.Args)]
	if m.pick(3) == 0 {
		m.note("remove the failure of %v", j)
		_, err := m.client.Failures().Remove(m.t.Context(), resque.RemoveOptions{}, failed.ID)
		require.NoError(m.t, err)
		j.removed++
		return
	}
	how := resque.RequeueOptions{Again: true, Remove: m.pick(2) == 0}
	m.note("requeue %v, removing the failure: %v", j, how.Remove)
	_, err := m.client.Failures().Requeue(m.t.Context(), how, failed.ID)
	require.NoError(m.t, err)
	if !how.Remove {
		j.copies++
	}
	m.unclear[j.group()] = true
}

// runDelayed moves all or one of the delayed jobs to their queue.
func (m *policyModel) runDelayed(f found, all bool) {
	if all {
		m.note("move all delayed jobs")
		runDelayed(m.t, m.client)
	} else if len(f.delayed) > 0 {
		d := f.delayed[m.pick(len(f.delayed))]
		m.note("move %v", m.jobs[jobNumber(m.t, d.Args)])
		_, err := m.client.Delayed().Run(m.t.Context(), d.ID)
		require.NoError(m.t, err)
	}
}

// kill kills a job that waits in the queue, by its status.
func (m *policyModel) kill(f found) {
	for _, q := range f.queued {
		p, err := resque.ParsePayload("work", q.Raw)
		require.NoError(m.t, err)
		if id, ok := status.JobID(p); ok {
			j := m.jobs[jobNumber(m.t, p.Args)]
			m.note("kill %v", j)
			_, err := status.Kill(m.t.Context(), m.client, id)
			require.NoError(m.t, err)
			j.killed = true
			return
		}
	}
}

func (m *policyModel) step() {
	f := m.check()
	switch m.pick(16) {
	case 0, 1, 2, 3:
		m.push(f)
	case 4, 5, 6, 7, 8, 9, 10:
		m.work(m.workers[m.pick(len(m.workers))])
	case 11:
		m.runDelayed(f, m.pick(3) == 0)
	case 12, 13:
		m.remove(f)
	case 14:
		m.repair(f)
	case 15:
		m.kill(f)
	}
}

// runDelayed moves the jobs that got no place to their queue.
func runDelayed(t *testing.T, client *resque.Client) {
	t.Helper()
	_, err := client.Delayed().RunAll(t.Context(), resque.DelayedFilter{All: true}, nil)
	require.NoError(t, err)
}
