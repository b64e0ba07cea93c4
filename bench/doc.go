// Bench compares goresque with its peers. It starts a redis-server, measures each
// system on it and prints a table:
//
//	go -C bench run .           # from the repository's root; 10 to 15 minutes
//	go -C bench run . -quick    # some seconds, to check that everything runs
//
// Measurements run one after the other, each in a new process. A round makes every
// measurement once for each system, so that other load on the machine affects all
// of them. The table has the medians over all rounds, and the medians of the ratios
// within a round.
//
// Bench is a separate module, so that the library's go.sum does not list the peers.
package main
