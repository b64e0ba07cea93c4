package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// peer is a job system that is linked into this program.
type peer interface {
	// fill enqueues n jobs in the last of several queues.
	fill(ctx context.Context, n, queues int) error
	// work starts a worker of the queues. It calls handle with each job's argument.
	work(ctx context.Context, slots, queues int, handle func(n int64)) error
	// finished reports whether the results of all n jobs are written.
	finished(n int) (bool, error)
	// enqueue enqueues a job in the first queue and waits for the reply.
	enqueue(ctx context.Context, n int64) error
	// enqueueMany enqueues n jobs in the first queue with one call. It returns
	// errUnsupported if the system has no such call.
	enqueueMany(ctx context.Context, n int) error
}

// errUnsupported is returned for a task that a system cannot run.
type errUnsupported struct{ reason string }

func (e errUnsupported) Error() string { return e.reason }

// system is one of the compared systems.
type system struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	runs    string   // the system that its program knows; Name if it is empty
	fills   string   // the peer that fills its queues
	argv    []string // the program that runs its tasks
	kinds   []string // the tasks that it can run; nil for all except forks
	most    int      // the largest number of slots; 0 for any
	forks   []string // the program with a process per job; nil if there is none
}

// open returns the peer with the given name, connected to addr.
func open(name, addr string) (peer, error) {
	switch name {
	case "goresque":
		return newGoresque(addr)
	case "gocraft/work":
		return newGocraft(addr), nil
	case "asynq":
		return newAsynq(addr), nil
	case "limit":
		return newLimit(addr, limitLua), nil
	case "limit, JSON check only":
		return newLimit(addr, limitJSONLua), nil
	default:
		return nil, fmt.Errorf("unknown system %q", name)
	}
}

// installed returns the systems to measure: those that are linked into this program
// and those that are found on this machine.
func installed(ctx context.Context, o options, s *server, stderr io.Writer) ([]system, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	var small, shipped []string
	if o.forks() {
		if small, err = build(ctx, s, "small", ".", "./forks"); err != nil {
			return nil, err
		}
		if shipped, err = buildShipped(ctx, s, "shipped", "."); err != nil {
			return nil, err
		}
	}
	here := []string{self}
	all := []system{
		{Name: "goresque", Version: "this tree", fills: "goresque", argv: here, forks: small},
		{Name: "goresque, as shipped", Version: "with all that the command links, built as for a release", fills: "goresque", kinds: []string{forks}, forks: shipped},
		{Name: "gocraft/work", Version: module("github.com/gocraft/work"), fills: "gocraft/work", argv: here},
		{Name: "asynq", Version: module("github.com/hibiken/asynq"), fills: "asynq", argv: here},
		{Name: "limit", Version: "redigo " + module("github.com/gomodule/redigo"), fills: "goresque", argv: here, kinds: []string{drain, bulk, pickup}},
		{Name: "limit, JSON check only", Version: "redigo " + module("github.com/gomodule/redigo"), fills: "goresque", argv: here, kinds: []string{drain}},
	}
	for _, find := range []func(context.Context, options, *server) ([]system, error){findBefore, findGoworker, findRuby, findSidekiq, findNode} {
		other, err := find(ctx, o, s)
		if err != nil {
			fmt.Fprintln(stderr, "not measured:", err)
			continue
		}
		all = append(all, other...)
	}
	var chosen []system
	for _, one := range all {
		if o.systems.MatchString(one.Name) {
			chosen = append(chosen, one)
		}
	}
	return chosen, nil
}

// output returns the first line that a command prints.
func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output() //nolint:gosec // constants of this package
	if err != nil {
		return "", fmt.Errorf("running %s: %w", name, err)
	}
	return firstLine(out), nil
}

// one returns the only system of a function that finds one.
func one(s system, err error) ([]system, error) {
	if err != nil {
		return nil, err
	}
	return []system{s}, nil
}
