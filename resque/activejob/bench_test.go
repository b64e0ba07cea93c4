package activejob_test

import (
	"context"
	"testing"

	"github.com/goresque/goresque/resque"
)

// BenchmarkPerform is what a job of Rails costs beside one of Resque, in a mux
// that has both and in one that knows nothing of Rails.
func BenchmarkPerform(b *testing.B) {
	exporter := resque.Define1[int64]("Exporter", "exports")
	perform := func(context.Context, int64) error { return nil }
	plain, both := resque.NewMux(), resque.NewMux()
	plain.Handle(exporter.Handler(perform))
	both.Handle(exporter.Handler(perform))
	both.Handle(ExportJob.Handler(perform))
	for _, c := range []struct {
		name string
		mux  *resque.Mux
		job  resque.Job
	}{
		{"resque alone", plain, exporter.Job(42)}, {"resque beside rails", both, exporter.Job(42)}, {"rails", both, ExportJob.Job(42)},
	} {
		b.Run(c.name, func(b *testing.B) {
			payload, err := c.job.Encode()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				job, err := resque.ParsePayload("exports", payload)
				if err != nil {
					b.Fatal(err)
				}
				if err := resque.Perform(b.Context(), c.mux, job); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEnqueue(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ExportJob.Job(42).Encode(); err != nil {
			b.Fatal(err)
		}
	}
}
