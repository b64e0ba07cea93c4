// Package web is the dashboard for Resque. It is an http.Handler that serves the
// pages of Ruby's front end, at Ruby's paths, below any path of your server:
//
//	dashboard, err := web.New(client, web.Config{Auth: web.BasicAuth("ops", password)})
//	http.Handle("/resque/", http.StripPrefix("/resque", dashboard))
//
// The dashboard serves only requests that Config.Auth accepts. A GET request
// changes nothing, and a request that changes something must come from the
// dashboard's own pages. Most pages need at most three round trips to Redis, whatever
// the number of queues and workers; docs/dashboard.md lists them.
package web
