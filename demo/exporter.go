package demo

import (
	"context"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// Exporter is the job that makes an export: its class, its queue, and the id of the
// export as its one argument. It is an id, not the export itself, because arguments
// travel as JSON and the row may have changed by the time a worker reads it.
//
// Ruby: module Exporter; @queue = :exports; def self.perform(export_id).
var Exporter = resque.Define1[int64]("Exporter", "exports")

// ExporterJob is the same job when a Rails app enqueues it with perform_later.
//
// Ruby: class ExporterJob < ApplicationJob; queue_as :exports; def perform(export_id).
var ExporterJob = activejob.Define1[int64]("ExporterJob", "exports")

// newMux returns the demo's jobs. A job is much like a controller's action: an id
// comes in, the record is fetched, and the record does the work.
func newMux(find func(ctx context.Context, id int64) (*Export, error)) *resque.Mux {
	perform := func(ctx context.Context, exportID int64) error {
		export, err := find(ctx, exportID)
		if err != nil {
			return err
		}
		return export.PerformLengthyComputation(ctx)
	}
	mux := resque.NewMux()
	mux.Handle(Exporter.Handler(perform))
	mux.Handle(ExporterJob.Handler(perform))
	return mux
}
