//go:build shipped

package main

// What the goresque command has: the demo's gorm and SQLite, the dashboard, cobra.
import _ "github.com/goresque/goresque/demo"
