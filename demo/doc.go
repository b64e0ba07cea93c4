// Package demo is a small web app with a slow export, and the first user of
// goresque: the story of why background jobs exist, told in Go.
//
// A visitor asks for a CSV of all customers. That takes seconds, too long for a
// request, so POST /exports only stores an empty [Export] and has its id
// enqueued; a worker on the queue exports performs [Exporter], which fetches the
// export and lets it do its lengthy computation; the page follows it by a stream,
// GET /exports/events, until it is complete. Web app and worker share nothing but
// Redis and a database.
//
// The story is in four files: exporter.go (the job), export.go (the model),
// build.go (the lengthy computation) and exports_web.go (the pages). Around them,
// run.go and change.go are what may happen to an export, live.go and watch.go how
// a page learns of it, and sweep.go what becomes of one whose worker was killed.
// The problem that all this solves can be had at /problem: problem.go has the
// request, problem_run.go what runs in it, and lane.go what was measured.
// command.go starts it all.
package demo
