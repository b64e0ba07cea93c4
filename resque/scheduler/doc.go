// Package scheduler moves delayed jobs to their queues when they are due, and enqueues
// recurring jobs. It replaces Ruby's resque-scheduler process and shares its keys and its lock, so that Ruby and Go
// schedulers can run side by side.
//
//	s, err := scheduler.New(client, scheduler.Config{})
//	err = s.Run(ctx)
//
// Recurring jobs are entries of [Config.Entries], which [Load] reads from a file, and
// persistent ones, which any program sets with [Set]. Each entry fires once for each of its
// times.
//
// Any number of processes may run a scheduler. The one that holds the lock, the master,
// does the work; the others wait. When the master stops, it releases the lock, and
// another process continues at once. When it is killed, another process continues when
// the lock expires.
//
// Redis's clock decides what is due, never the clock of the host. Each script compares
// the lock with the token of its process, so a process that lost the lock while it was
// stopped or cut off changes nothing when it continues.
package scheduler
