package demo

import (
	"slices"
	"strconv"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/words"
)

// panel is what the panel "What happens" shows. It explains the code with the values
// of a real export.
type panel struct {
	Rows, Seconds string
	ID            int64 // the export in the examples
	Class, Queue  string
	Payload       string
	Live          string
}

func (a *exportsApp) panel(id int64, live string) panel {
	v := panel{
		ID: id, Class: Exporter.Class(), Queue: Exporter.Queue(), Live: live,
		Rows: words.Thousands(a.rows), Seconds: strconv.FormatFloat(a.seconds, 'f', -1, 64),
	}
	if payload, err := Exporter.Job(v.ID).Encode(); err == nil {
		v.Payload = string(payload)
	}
	return v
}

// exampleID returns the newest export that is not canceled: the job of a canceled
// one does nothing. If there is none it returns 1, the first id.
func exampleID(all []*Export) int64 {
	if i := slices.IndexFunc(all, func(e *Export) bool { return e.State != record.Canceled }); i >= 0 {
		return all[i].ID
	}
	return 1
}
