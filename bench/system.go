package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

// peer is a system of jobs that is linked into this program.
type peer interface {
	// fill puts n jobs where a worker of that many queues finds them, in the last.
	fill(ctx context.Context, n, queues int) error
	// work begins to perform jobs with handle, which gets their argument.
	work(ctx context.Context, slots, queues int, handle func(n int64)) error
	// settled tells whether nothing is left to be written of n jobs.
	settled(n int) (bool, error)
	// enqueue puts one job in the only queue and waits for the answer.
	enqueue(ctx context.Context, n int64) error
	// enqueueMany puts n jobs there with one call, or says that it cannot.
	enqueueMany(ctx context.Context, n int) error
}

// errCannot is a system's word for what it has not.
type errCannot struct{ what string }

func (e errCannot) Error() string { return e.what }

// system is one of those that are compared.
type system struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	fills   string   // the peer that fills its queues
	argv    []string // the program that does its tasks
	kinds   []string // what it can do; nil for everything but forks
	most    int      // slots; 0 for any
	forks   []string // the program for a process per job, where it can do that
}

// open makes the peer of that name, on addr.
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
		return nil, fmt.Errorf("no system is called %q", name)
	}
}

// installed are the systems that take part: those linked in, and those that are
// found on this machine.
func installed(ctx context.Context, o options, s *server, stderr io.Writer) ([]system, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	var small, shipped []string
	if slices.ContainsFunc(planned(o), func(r *row) bool { return r.task.Kind == forks }) {
		if small, shipped, err = buildForks(ctx, s); err != nil {
			return nil, err
		}
	}
	here := []string{self}
	all := []system{
		{Name: "goresque", Version: "this tree", fills: "goresque", argv: here, forks: small},
		{Name: "goresque, as shipped", Version: "with gorm and SQLite linked", fills: "goresque", kinds: []string{forks}, forks: shipped},
		{Name: "gocraft/work", Version: module("github.com/gocraft/work"), fills: "gocraft/work", argv: here},
		{Name: "asynq", Version: module("github.com/hibiken/asynq"), fills: "asynq", argv: here},
		{Name: "limit", Version: "redigo " + module("github.com/gomodule/redigo"), fills: "goresque", argv: here, kinds: []string{drain, bulk, pickup}},
		{Name: "limit, JSON check only", Version: "redigo " + module("github.com/gomodule/redigo"), fills: "goresque", argv: here, kinds: []string{drain}},
	}
	for _, find := range []func(context.Context, options, *server) (system, error){findGoworker, findRuby, findSidekiq, findNode} {
		other, err := find(ctx, o, s)
		if err != nil {
			fmt.Fprintln(stderr, "not taking part:", err)
			continue
		}
		all = append(all, other)
	}
	var chosen []system
	for _, one := range all {
		if o.systems.MatchString(one.Name) {
			chosen = append(chosen, one)
		}
	}
	return chosen, nil
}

// answer is the first line that a command prints.
func answer(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output() //nolint:gosec // constants of this package
	if err != nil {
		return "", fmt.Errorf("asking %s: %w", name, err)
	}
	return firstLine(out), nil
}
