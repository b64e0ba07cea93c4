package command

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/resque"
)

// screen is what the demo prints when everything runs.
type screen struct {
	web            string
	redis          *resque.Redis
	database       database.Location
	ownRedis, temp bool
	workers        int
	queue, class   string
}

// String returns the text. Passwords stay hidden: they would end up in scrollback,
// screenshots and bug reports.
func (s screen) String() string {
	redis, data := s.redis.String(), cmp.Or(s.database.Path, s.database.Shown)
	work := fmt.Sprintf("%d, on queue %s", s.workers, s.queue)
	if s.ownRedis {
		redis += "  (embedded; gone when the demo stops)"
	}
	if s.temp {
		data += "  (removed when the demo stops)"
	}
	if s.workers == 0 {
		work = "none: exports stay queued until a second terminal works"
	}
	vars := s.redisVars()
	hint := ""
	if strings.Contains(vars+s.database.Shown, hiddenPassword) {
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

`, s.web, strings.TrimSuffix(s.web, "exports")+"resque/", redis, data, work,
		vars, quote(s.database.Shown), s.queue, hint,
		vars, s.queue, s.class,
		s.rubyRedis(), s.class, s.queue, s.class)
}

const hiddenPassword = "xxxxx" // as resque.Redis and net/url write it

// redisVars returns the variables that name the same queues to another goresque.
func (s screen) redisVars() string {
	vars := "REDIS_URL=" + quote(s.redis.String())
	if ns := s.redis.Namespace(); ns != resque.DefaultNamespace {
		vars += " RESQUE_NAMESPACE=" + quote(ns)
	}
	return vars
}

// rubyRedis returns Ruby that names the queues: its Resque reads no variables.
func (s screen) rubyRedis() string {
	line := fmt.Sprintf("Resque.redis = %q", s.redis.String())
	if ns := s.redis.Namespace(); ns != resque.DefaultNamespace {
		line += fmt.Sprintf("; Resque.redis.namespace = %q", ns)
	}
	return line
}

// quote returns text as one word of a shell.
func quote(text string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:@%+=,"
	if strings.Trim(text, plain) == "" && text != "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
