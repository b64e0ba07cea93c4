package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// server is the redis-server of the measurements. It runs on a free port of
// 127.0.0.1, without persistence.
type server struct {
	addr    string
	version string
	dir     string
	cmd     *exec.Cmd
	conn    redis.Conn
}

func startServer(ctx context.Context) (*server, error) {
	dir, err := os.MkdirTemp("", "goresque-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a directory: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s := &server{addr: net.JoinHostPort("127.0.0.1", port), dir: dir}
	s.cmd = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", dir) //nolint:gosec,noctx // stop ends it
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("starting a redis-server: %w", err)
	}
	if err := listening(out); err != nil {
		s.stop()
		return nil, err
	}
	if s.conn, err = redis.DialContext(ctx, "tcp", s.addr); err == nil {
		s.version, err = s.info("redis_version:")
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("connecting to the redis-server: %w", err)
	}
	return s, nil
}

func listening(out interface{ Read(p []byte) (int, error) }) error {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "eady to accept connections") {
			go func() { // ends with the server; its pipe must not fill up
				for lines.Scan() {
				}
			}()
			return nil
		}
	}
	return fmt.Errorf("redis-server exited before it accepted connections: %w", lines.Err())
}

func freePort(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err //nolint:wrapcheck // cannot fail: it is a listener's address
}

func (s *server) stop() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.dir)
}

// clear empties the server for the next measurement.
func (s *server) clear() error {
	_, err := s.conn.Do("FLUSHALL", "SYNC")
	if err != nil {
		return fmt.Errorf("emptying the redis-server: %w", err)
	}
	return nil
}

// pin restricts the server to the given processors.
func (s *server) pin(cpus string) error {
	out, err := exec.Command("taskset", "-acp", cpus, strconv.Itoa(s.cmd.Process.Pid)).CombinedOutput() //nolint:gosec,noctx // at once
	if err != nil {
		return fmt.Errorf("pinning the redis-server: %w: %s", err, out)
	}
	return nil
}

// commands returns how many commands the server has run, including those of scripts
// but not INFO.
func (s *server) commands() (int, error) {
	text, err := redis.String(s.conn.Do("INFO", "commandstats"))
	if err != nil {
		return 0, fmt.Errorf("counting commands: %w", err)
	}
	sum := 0
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ":calls=")
		if !ok || name == "cmdstat_info" {
			continue
		}
		calls, _, _ := strings.Cut(rest, ",")
		n, err := strconv.Atoi(calls)
		if err != nil {
			return 0, fmt.Errorf("counting commands: %w", err)
		}
		sum += n
	}
	return sum, nil
}

// cpuTime returns the processor time that the server has used, in µs.
func (s *server) cpuTime() (float64, error) {
	sum := 0.0
	for _, field := range []string{"used_cpu_user:", "used_cpu_sys:"} {
		text, err := s.info(field)
		if err != nil {
			return 0, err
		}
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the server's processor time: %w", err)
		}
		sum += seconds * 1e6
	}
	return sum, nil
}

func (s *server) info(field string) (string, error) {
	text, err := redis.String(s.conn.Do("INFO"))
	if err != nil {
		return "", err //nolint:wrapcheck // the caller adds context
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, field); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", nil
}
