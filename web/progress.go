package web

import (
	"context"

	"github.com/goresque/goresque/internal/pattern"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/status"
)

// progress is what a running job has reported of its progress.
type progress struct {
	ID      string
	Percent int
	Message string
}

// uuid is the first argument of jobs that are pushed with a status. Other jobs rarely have
// such an argument, and no status by it.
var uuid = pattern.Pattern{Text: `^[0-9a-f]{32}$`}

// fillProgress adds the progress of the running jobs to their rows. It reads Redis only if
// there may be a job with a status.
func (h *Dashboard) fillProgress(ctx context.Context, rows []workerRow, workers []resque.RegisteredWorker, listed bool) error {
	ids := make([][]string, len(workers)) // by which each job may have a status
	var all []string
	for i, w := range workers {
		if w.Job == nil {
			continue
		}
		if len(w.Job.Args) > 0 {
			if id, _ := rubyjson.Text(w.Job.Args[0]); uuid.Regexp().MatchString(id) {
				ids[i] = append(ids[i], id)
			}
		}
		if id, ok := status.JobID(w.Job); ok && listed && w.Go && w.JobSize == int64(len(w.Job.Raw)) {
			ids[i] = append(ids[i], id)
		}
		all = append(all, ids[i]...)
	}
	if len(all) == 0 {
		return nil
	}
	statuses, err := status.GetAll(ctx, h.client, all...)
	if err != nil {
		return err
	}
	for i := range rows {
		for _, id := range ids[i] {
			if s, ok := statuses[id]; ok && s.Total > 0 {
				rows[i].Progress = &progress{id, s.Percent(), s.Message}
				if h.hides() {
					rows[i].Progress.Message = ""
				}
			}
		}
	}
	return nil
}
