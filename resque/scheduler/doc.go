// Package scheduler moves delayed jobs to their queues when they are due, and enqueues
// recurring jobs. It replaces Ruby's resque-scheduler process and uses the same keys and
// the same lock, so that Ruby and Go schedulers can run side by side.
//
//	s, err := scheduler.New(client, scheduler.Config{})
//	err = s.Run(ctx)
//
// A recurring job is an [Entry]. Entries are in [Config.Entries], for which [Load] reads a
// file, or persistent: any program sets those with [Set]. An entry fires, which means that
// its job is enqueued, once for each of its times.
//
// Any number of processes may run a scheduler. The one that holds the lock, the master,
// does the work; the others wait. When the master stops, it releases the lock, and
// another process continues at once. When it is killed, another process continues when
// the lock expires.
//
// Redis's clock decides what is due, never the clock of the host. Each script compares
// the lock with the token of its process. So a process that lost the lock, because it was
// suspended or could not reach Redis, changes nothing when it continues.
package scheduler
