package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// taskVariable holds a task for the process that is to do it.
const taskVariable = "GORESQUE_BENCH_TASK"

// task is one measurement of one system.
type task struct {
	System string `json:"system"`
	Kind   string `json:"kind"` // one of the kinds below
	Addr   string `json:"addr"`
	Jobs   int    `json:"jobs"`
	Slots  int    `json:"slots"`  // of a worker; goroutines of a producer; workers of forks
	Queues int    `json:"queues"` // that a worker looks at; the jobs are in the last

	PerChild int `json:"perchild,omitempty"` // jobs that a process performs, of forks
}

// The kinds of tasks.
const (
	drain   = "drain"   // perform all jobs that wait
	some    = "some"    // perform Jobs of those that wait
	refill  = "refill"  // perform Jobs, a thousand at a time
	enqueue = "enqueue" // one call a job
	bulk    = "bulk"    // 10,000 jobs a call
	forks   = "forks"   // perform all jobs that wait, each in a process of its own
	pickup  = "pickup"  // of jobs that come one by one to an idle worker
	idle    = "idle"    // do nothing until standard input ends
)

// figures are what a task measured.
type figures struct {
	Ready   bool    `json:"ready,omitempty"` // not yet measured: the worker is up
	Rate    float64 `json:"rate,omitempty"`  // jobs/s
	Allocs  float64 `json:"allocs,omitempty"`
	RSS     float64 `json:"rss,omitempty"` // MB at most
	CPU     float64 `json:"cpu,omitempty"` // of the worker, µs a job
	Server  float64 `json:"-"`             // the same of the server
	P50     float64 `json:"p50,omitempty"` // ms
	P99     float64 `json:"p99,omitempty"`
	Message string  `json:"message,omitempty"` // why it could not be measured
}

// process is a task that runs.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Scanner
	said  strings.Builder // on standard error
}

// begin starts the process of a task. cpus, where it is not empty, is where it
// may run, as taskset has it.
func begin(ctx context.Context, t task, argv []string, cpus string) (*process, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("starting a task: %w", err)
	}
	if cpus != "" {
		argv = slices.Concat([]string{"taskset", "-c", cpus}, argv)
	}
	p := &process{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)} //nolint:gosec // our own, or what the flags named
	p.cmd.Env = append(os.Environ(), taskVariable+"="+string(text))
	p.cmd.Stderr = &p.said
	p.cmd.WaitDelay = time.Second
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting a task: %w", err)
	}
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("starting a task: %w", err)
	}
	p.out = bufio.NewScanner(out)
	return p, nil
}

// next is the next line of figures that the process writes.
func (p *process) next() (figures, error) {
	for p.out.Scan() {
		if !strings.HasPrefix(p.out.Text(), "{") {
			continue
		}
		var f figures
		err := json.Unmarshal(p.out.Bytes(), &f)
		if err != nil {
			err = fmt.Errorf("reading the figures: %w", err)
		}
		return f, err
	}
	return figures{}, fmt.Errorf("the task ended without figures: %s", p.said.String())
}

// end lets the process go and waits for it.
func (p *process) end() {
	_ = p.stdin.Close()
	if p.cmd.Wait() != nil && p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
	}
}
