//go:build shipped

package main

// The demo links what the goresque command links: gorm, SQLite, the dashboard, cobra.
import _ "github.com/goresque/goresque/demo"
