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

// taskVariable is the environment variable with the task of a process, as JSON.
const taskVariable = "GORESQUE_BENCH_TASK"

// task is one measurement of one system.
type task struct {
	System string `json:"system"`
	Kind   string `json:"kind"` // one of the constants below
	Addr   string `json:"addr"`
	Jobs   int    `json:"jobs"`
	Slots  int    `json:"slots"`  // of a worker; goroutines of a producer; workers of forks
	Queues int    `json:"queues"` // of a worker; the jobs are in the last

	PerChild int    `json:"perchild,omitempty"` // of forks: how many jobs a process performs
	Policy   string `json:"policy,omitempty"`   // that the class of the jobs has; see policies
}

// The kinds of tasks.
const (
	drain   = "drain"   // perform all waiting jobs
	some    = "some"    // perform Jobs of the waiting jobs
	refill  = "refill"  // perform Jobs, a thousand at a time
	enqueue = "enqueue" // enqueue with a call for each job
	bulk    = "bulk"    // enqueue 10,000 jobs with each call
	forks   = "forks"   // perform all waiting jobs, each in a new process
	pickup  = "pickup"  // perform jobs that arrive one by one at an idle worker
	idle    = "idle"    // wait, without jobs, until standard input ends
)

// figures are what a task measured.
type figures struct {
	Ready   bool    `json:"ready,omitempty"` // the worker has started; figures follow
	Rate    float64 `json:"rate,omitempty"`  // jobs/s
	Allocs  float64 `json:"allocs,omitempty"`
	RSS     float64 `json:"rss,omitempty"` // peak, MB
	CPU     float64 `json:"cpu,omitempty"` // of the worker, µs per job
	Server  float64 `json:"-"`             // processor time of the server, µs per job
	P50     float64 `json:"p50,omitempty"` // ms
	P99     float64 `json:"p99,omitempty"`
	Message string  `json:"message,omitempty"` // why it could not be measured
}

// process is a running task.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *bufio.Scanner
	stderr strings.Builder
}

// begin starts the process of a task. If cpus is not empty, it runs on these
// processors only, in the syntax of taskset.
func begin(ctx context.Context, t task, argv []string, cpus string) (*process, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("starting a task: %w", err)
	}
	if cpus != "" {
		argv = slices.Concat([]string{"taskset", "-c", cpus}, argv)
	}
	p := &process{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)} //nolint:gosec // the program itself, or one of installed
	p.cmd.Env = append(os.Environ(), taskVariable+"="+string(text))
	p.cmd.Stderr = &p.stderr
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

// next waits for the next line of figures that the process writes.
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
	return figures{}, fmt.Errorf("the task ended without figures: %s", p.stderr.String())
}

// end closes the process's standard input, which ends it, and waits for it.
func (p *process) end() {
	_ = p.stdin.Close()
	if p.cmd.Wait() != nil && p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
	}
}
