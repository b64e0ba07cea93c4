package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
)

// The programs of systems that are not linked into this one. Each reads its task
// from the environment and prints figures, as serve does.
var (
	//go:embed peers/goworker.go.txt
	goworkerMain []byte
	//go:embed peers/resque.rb
	resqueRuby string
	//go:embed peers/sidekiq.rb
	sidekiqRuby string
	//go:embed peers/node_resque.js
	nodeResque string
)

// findGoworker builds a program with the checkout that the flag -goworker names.
// goworker's released version from the module proxy does not build.
func findGoworker(ctx context.Context, o options, s *server) (system, error) {
	if o.goworker == "" {
		return system{}, errors.New("goworker: needs the flag -goworker")
	}
	checkout, err := filepath.Abs(o.goworker)
	if err != nil {
		return system{}, fmt.Errorf("goworker: %w", err)
	}
	dir := filepath.Join(s.dir, "goworker")
	mod := fmt.Sprintf("module peer\n\ngo 1.26\n\nrequire github.com/benmanns/goworker v0.1.3\n\n"+
		"replace github.com/benmanns/goworker => %s\n\nrequire github.com/gomodule/redigo %s\n", checkout, module("github.com/gomodule/redigo"))
	err = errors.Join(os.Mkdir(dir, 0o700),
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600),
		os.WriteFile(filepath.Join(dir, "main.go"), goworkerMain, 0o600))
	for _, args := range [][]string{{"mod", "tidy"}, {"build", "-o", "peer", "."}} {
		if err != nil {
			break
		}
		cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // constants
		cmd.Dir = dir
		out, bad := cmd.CombinedOutput()
		if bad != nil {
			err = fmt.Errorf("go %s: %w: %s", args[0], bad, out)
		}
	}
	if err != nil {
		return system{}, fmt.Errorf("goworker: %w", err)
	}
	version, err := output(ctx, "git", "-C", checkout, "rev-parse", "--short", "HEAD")
	return system{
		Name: "goworker", Version: version, fills: "goresque",
		argv: []string{filepath.Join(dir, "peer")}, kinds: []string{drain, enqueue},
	}, err
}

// buildForks builds the two workers with a process per job. A child process runs the
// worker's own program, so its size affects the time to start one.
func buildForks(ctx context.Context, s *server) (small, shipped []string, err error) {
	for tag, argv := range map[string]*[]string{"small": &small, "shipped": &shipped} {
		path := filepath.Join(s.dir, "forks-"+tag)
		cmd := exec.CommandContext(ctx, "go", "build", "-tags", tag, "-o", path, "github.com/goresque/goresque/bench/forks") //nolint:gosec // constants
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, nil, fmt.Errorf("building bench/forks: %w: %s", err, out)
		}
		*argv = []string{path}
	}
	return small, shipped, nil
}

// findRuby returns Ruby's Resque. It runs in one process, except for rows with a
// process per job, which have several forking workers.
func findRuby(ctx context.Context, _ options, _ *server) (system, error) {
	version, err := output(ctx, "ruby", "-rresque", "-e", "puts Resque::VERSION")
	argv := []string{"ruby", "-e", resqueRuby}
	return system{
		Name: "Ruby Resque", Version: version + ", FORK_PER_JOB=false except in rows with a process per job", fills: "goresque",
		argv: argv, kinds: []string{drain, enqueue}, most: 1, forks: argv,
	}, err
}

func findSidekiq(ctx context.Context, _ options, _ *server) (system, error) {
	version, err := output(ctx, "ruby", "-rsidekiq", "-e", "puts Sidekiq::VERSION")
	return system{
		Name: "Sidekiq", Version: version, fills: "goresque",
		argv: []string{"ruby", "-e", sidekiqRuby}, kinds: []string{drain, enqueue},
	}, err
}

func findNode(ctx context.Context, _ options, _ *server) (system, error) {
	version, err := output(ctx, "node", "-e", "console.log(require('node-resque/package.json').version)")
	return system{
		Name: "node-resque", Version: version, fills: "goresque",
		argv: []string{"node", "-e", nodeResque}, kinds: []string{drain, enqueue}, most: 25,
	}, err
}

// module returns the version of a module that is linked into this program.
func module(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	at := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == path })
	if at < 0 {
		return "unknown"
	}
	return info.Deps[at].Version
}

func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return string(line)
}
