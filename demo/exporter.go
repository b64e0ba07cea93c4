package demo

import (
	"context"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/status"
)

// Exporter defines the job that builds an export: its class, its queue and its one
// argument, the export's id. The argument is not the export itself, because
// arguments are stored as JSON, and the row may change before a worker reads it. The
// job has a status, so the dashboard shows how far it is.
//
// Ruby: module Exporter; @queue = :exports; def self.perform(export_id).
var Exporter = resque.Define1[int64]("Exporter", "exports", status.Policy{})

// ExporterJob is the same job when a Rails app enqueues it with perform_later.
//
// Ruby: class ExporterJob < ApplicationJob; queue_as :exports; def perform(export_id).
var ExporterJob = activejob.Define1[int64]("ExporterJob", "exports", status.Policy{})

// store is where jobs find exports.
type store interface {
	find(ctx context.Context, id int64) (*Export, error)
	create(ctx context.Context, rows int, seconds float64, delay time.Duration, token string) (e *Export, made bool, err error)
}

// newMux returns the handlers of the demo's jobs. A job is much like a controller's
// action: it gets an id and fetches the record, and the record does the work.
func newMux(exports store) *resque.Mux {
	perform := func(ctx context.Context, exportID int64) error {
		export, err := exports.find(ctx, exportID)
		if err != nil {
			return err
		}
		return export.PerformLengthyComputation(ctx)
	}
	mux := resque.NewMux()
	mux.Handle(Exporter.Handler(perform))
	mux.Handle(ExporterJob.Handler(perform))
	mux.Handle(NightlyExport.Handler(nightly{exports, time.Now}.perform))
	return mux
}
