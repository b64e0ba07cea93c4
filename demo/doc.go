// Package demo is a small web app with a slow export. It is the first user of
// goresque, and shows in Go why background jobs exist.
//
// A visitor asks for a CSV of all customers. Building it takes seconds, which is too
// long for a request. So POST /exports only stores an empty [Export] and enqueues
// its id. A worker on the queue exports performs [Exporter], which fetches the
// export and calls its lengthy computation. The page shows the progress until the
// export is complete. Web app and worker share only Redis and a database.
//
// Read export.go (the model), exporter.go (the job), exports.go (the routes and
// their handlers) and page.go (what a visitor sees), in this order: they are the
// whole story. schedule.go adds an export every night. The packages beneath make it
// robust; each says in one sentence what it adds. panel.go fills the page's panel "What
// happens", and app.go wires everything together.
package demo
