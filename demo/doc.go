// Package demo is a small web app with a slow export, and the first user of
// goresque: the story of why background jobs exist, told in Go.
//
// A visitor asks for a CSV of all customers. That takes seconds, too long for a
// request, so POST /exports only stores an empty [Export] and enqueues its id; a
// worker on the queue exports performs [Exporter], which fetches the export and
// lets it do its lengthy computation; the page follows it until it is complete. Web
// app and worker share nothing but Redis and a database.
//
// Read export.go (the model), exporter.go (the job), exports.go (the routes and
// their handlers) and page.go (what a visitor sees), in this order: they are the
// whole story. What makes it robust and instructive is in the packages beneath,
// each of which says in one sentence what it adds. app.go wires all of it.
package demo
