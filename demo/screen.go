package demo

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/goresque/goresque/resque"
)

// screen is what the demo says when everything runs.
type screen struct {
	web            string
	redis          *resque.Redis
	database       location
	ownRedis, temp bool
	workers        int
}

// String is the screen's text. Passwords stay hidden: they would end up in
// scrollback, screenshots and bug reports.
func (s screen) String() string {
	redis, database := s.redis.String(), cmp.Or(s.database.path, s.database.shown)
	work := fmt.Sprintf("%d, on queue %s", s.workers, Exporter.Queue())
	if s.ownRedis {
		redis += "  (embedded; gone when the demo stops)"
	}
	if s.temp {
		database += "  (removed when the demo stops)"
	}
	if s.workers == 0 {
		work = "none: exports stay queued until a second terminal works"
	}
	vars := s.redisVars()
	hint := ""
	if strings.Contains(vars+s.database.shown, hiddenPassword) {
		hint = "\n  (write your password in place of xxxxx)"
	}
	return fmt.Sprintf(`goresque demo: a web app with a slow export, made by a worker

  Open       %s
  Dashboard  %s
  Redis      %s
  Database   %s
  Workers    %s

Work the queue from a second terminal, too:
  %s DATABASE_URL=%s QUEUE=%s goresque work%s

Ask for export 1 (again) from a shell:
  %s goresque enqueue -q %s %s 1
or from Ruby:
  ruby -r resque -e '%s; module %s; @queue = :%s; end; Resque.enqueue %s, 1'

In place of goresque, "go run ./cmd/goresque" does as well. Stop with Ctrl-C.

`, s.web, strings.TrimSuffix(s.web, "exports")+"resque/", redis, database, work,
		vars, quote(s.database.shown), Exporter.Queue(), hint,
		vars, Exporter.Queue(), Exporter.Class(),
		s.rubyRedis(), Exporter.Class(), Exporter.Queue(), Exporter.Class())
}

const hiddenPassword = "xxxxx" // as resque.Redis and net/url write it

// redisVars are the variables that lead another goresque to the same queues.
func (s screen) redisVars() string {
	vars := "REDIS_URL=" + quote(s.redis.String())
	if ns := s.redis.Namespace(); ns != resque.DefaultNamespace {
		vars += " RESQUE_NAMESPACE=" + quote(ns)
	}
	return vars
}

// rubyRedis tells Ruby where the queues are: its Resque reads no variables.
func (s screen) rubyRedis() string {
	line := fmt.Sprintf("Resque.redis = %q", s.redis.String())
	if ns := s.redis.Namespace(); ns != resque.DefaultNamespace {
		line += fmt.Sprintf("; Resque.redis.namespace = %q", ns)
	}
	return line
}

// quote makes text one word to a shell.
func quote(text string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:@%+=,"
	if strings.Trim(text, plain) == "" && text != "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
