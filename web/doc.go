// Package web is the dashboard: the pages of Ruby's front end at Ruby's paths,
// over any Resque, as an http.Handler that is mounted wherever you like.
//
//	dashboard, err := web.New(client, web.Config{Auth: web.BasicAuth("ops", password)})
//	http.Handle("/resque/", http.StripPrefix("/resque", dashboard))
//
// Nobody gets in unless Auth says so; a GET changes nothing, and what changes
// something must come from the dashboard's own pages. A page asks Redis in at
// most three round trips, whatever the number of queues and workers.
package web
