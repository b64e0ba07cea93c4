// The bench command measures goresque beside its peers on a redis-server of its
// own and prints what came of it:
//
//	go -C bench run .           # from the repository's root; about ten minutes
//	go -C bench run . -quick    # seconds, to see that everything runs
//
// Every measurement is made by a process of its own, one after the other. A
// round makes each measurement once for each system, so that whatever else the
// machine does meets all of them; the table has the medians of the rounds and,
// beside them, the medians of the ratios within a round.
//
// It is a module of its own, so that the peers stay out of the library's go.sum.
package main
