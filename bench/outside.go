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
func findGoworker(ctx context.Context, o options, s *server) ([]system, error) {
	if o.goworker == "" {
		return nil, errors.New("goworker: needs the flag -goworker")
	}
	checkout, err := filepath.Abs(o.goworker)
	if err != nil {
		return nil, fmt.Errorf("goworker: %w", err)
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
		return nil, fmt.Errorf("goworker: %w", err)
	}
	version, err := output(ctx, "git", "-C", checkout, "rev-parse", "--short", "HEAD")
	return one(system{
		Name: "goworker", Version: version, fills: "goresque",
		argv: []string{filepath.Join(dir, "peer")}, kinds: []string{drain, enqueue},
	}, err)
}

// findBefore builds the bench of the checkout that the flag -before names, of an earlier
// version.
func findBefore(ctx context.Context, o options, s *server) ([]system, error) {
	if o.before == "" {
		return nil, errors.New("an earlier version: needs the flag -before")
	}
	bench := filepath.Join(o.before, "bench")
	version, err := output(ctx, "git", "-C", o.before, "rev-parse", "--short", "HEAD")
	before := system{Name: "goresque, before", Version: version, runs: ours, fills: ours}
	shipped := system{Name: "goresque, as shipped, before", Version: version, fills: ours, kinds: []string{forks}}
	if err == nil {
		before.argv, err = build(ctx, s, "before", bench, ".")
	}
	if err == nil && o.forks() {
		before.forks, err = build(ctx, s, "small-before", bench, "./forks")
	}
	if err == nil && o.forks() {
		shipped.forks, err = buildShipped(ctx, s, "shipped-before", bench)
	}
	return []system{before, shipped}, err
}

// build builds a package of the bench module in dir and returns the program.
func build(ctx context.Context, s *server, name, dir, pkg string) ([]string, error) {
	path := filepath.Join(s.dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, pkg) //nolint:gosec // constants
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building %s in %s: %w: %s", pkg, dir, err, out)
	}
	return []string{path}, nil
}

// buildShipped builds the worker with a process per job that links what the command links,
// with the flags of a release. A child process runs the worker's own program, so what the
// program links affects the time to start one.
func buildShipped(ctx context.Context, s *server, name, dir string) ([]string, error) {
	path := filepath.Join(s.dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "-tags", "shipped", "-trimpath", "-ldflags", "-s -w", "./forks") //nolint:gosec // constants
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building ./forks in %s: %w: %s", dir, err, out)
	}
	return []string{path}, nil
}

// findRuby returns Ruby's Resque. It runs in one process, except for rows with a
// process per job, which have several forking workers.
func findRuby(ctx context.Context, _ options, _ *server) ([]system, error) {
	version, err := output(ctx, "ruby", "-rresque", "-e", "puts Resque::VERSION")
	argv := []string{"ruby", "-e", resqueRuby}
	return one(system{
		Name: "Ruby Resque", Version: version + ", FORK_PER_JOB=false except in rows with a process per job", fills: "goresque",
		argv: argv, kinds: []string{drain, enqueue}, most: 1, forks: argv,
	}, err)
}

func findSidekiq(ctx context.Context, _ options, _ *server) ([]system, error) {
	version, err := output(ctx, "ruby", "-rsidekiq", "-e", "puts Sidekiq::VERSION")
	return one(system{
		Name: "Sidekiq", Version: version, fills: "goresque",
		argv: []string{"ruby", "-e", sidekiqRuby}, kinds: []string{drain, enqueue},
	}, err)
}

func findNode(ctx context.Context, _ options, _ *server) ([]system, error) {
	version, err := output(ctx, "node", "-e", "console.log(require('node-resque/package.json').version)")
	return one(system{
		Name: "node-resque", Version: version, fills: "goresque",
		argv: []string{"node", "-e", nodeResque}, kinds: []string{drain, enqueue}, most: 25,
	}, err)
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
