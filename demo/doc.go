// Package demo is a small web app with a slow export, and the first user of
// goresque: the story of why background jobs exist, told in Go.
//
// A visitor asks for a CSV of all customers. That takes seconds, too long for a
// request, so POST /exports only stores an empty [Export] and has its id
// enqueued; a worker on the queue exports performs [Exporter], which fetches the
// export and lets it do its lengthy computation; the page asks GET /exports/{id}
// until it says "complete": true. Web app and worker share nothing but Redis and
// a database.
//
// Read exporter.go first (the job), then export.go (the model), file.go (the
// lengthy computation) and exports_web.go (the pages). command.go starts it all.
package demo
