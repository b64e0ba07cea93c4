// Package fork performs jobs in child processes, in which this program is started
// again. It deals with processes and pipes, not with Redis or handlers.
//
// In the parent, a [Pool] keeps one child ready, and a [Slot] passes one job at a time
// to a child. The child calls [Serve], which reads jobs from a pipe and sends a [Report]
// of each over another pipe.
package fork
