// Package fork performs jobs in child processes: this program, started again. It
// knows processes and pipes, no Redis and no handlers.
//
// In the parent, a [Pool] keeps one child ready, and a [Slot] has one job at a
// time performed by a child. The child calls [Serve], which reads jobs from a
// pipe and sends a [Report] of each over another.
package fork
