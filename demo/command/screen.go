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

// String returns the text. It hides passwords, because people copy the screen into
// bug reports.
func (s screen) String() string {
	redis, data := s.redis.String(), cmp.Or(s.database.Path, s.database.Shown)
	work, start := fmt.Sprintf("%d, on queue %s; and a scheduler", s.workers, s.queue), "QUEUE="+s.queue+" goresque work"
	if s.ownRedis {
		redis += "  (embedded; its data is lost when the demo stops)"
	}
	if s.temp {
		data += "  (deleted when the demo stops)"
	}
	if s.workers == 0 {
		work = "none: exports stay queued until you start one"
		start = "DYNAMIC_SCHEDULE=1 " + start + " --scheduler"
	}
	vars := s.redisVars()
	hint := ""
	if strings.Contains(vars+s.database.Shown, hiddenPassword) {
		hint = "\n  (replace xxxxx with your password)"
	}
	return fmt.Sprintf(`goresque demo: a web app with a slow export that a worker builds

  Open       %s
  Dashboard  %s
  Redis      %s
  Database   %s
  Workers    %s

Start a worker in a second terminal:
  %s DATABASE_URL=%s %s%s

Enqueue the job of export 1 from a shell:
  %s goresque enqueue -q %s %s 1
or from Ruby:
  ruby -r resque -e '%s; module %s; @queue = :%s; end; Resque.enqueue %s, 1'

If goresque is not installed, use "go run ./cmd/goresque". Stop with Ctrl-C.

`, s.web, strings.TrimSuffix(s.web, "exports")+"resque/", redis, data, work,
		vars, quote(s.database.Shown), start, hint,
		vars, s.queue, s.class,
		s.rubyRedis(), s.class, s.queue, s.class)
}

const hiddenPassword = "xxxxx" // what resque.Redis and net/url write

// redisVars returns the variables with which another goresque uses the same queues.
func (s screen) redisVars() string {
	vars := "REDIS_URL=" + quote(s.redis.String())
	if ns := s.redis.Namespace(); ns != resque.DefaultNamespace {
		vars += " RESQUE_NAMESPACE=" + quote(ns)
	}
	return vars
}

// rubyRedis returns Ruby code that selects the same queues: Ruby's Resque does not
// read these variables.
func (s screen) rubyRedis() string {
	line := fmt.Sprintf("Resque.redis = %q", s.redis.String())
	if ns := s.redis.Namespace(); ns != resque.DefaultNamespace {
		line += fmt.Sprintf("; Resque.redis.namespace = %q", ns)
	}
	return line
}

// quote quotes text for a shell if necessary.
func quote(text string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:@%+=,"
	if strings.Trim(text, plain) == "" && text != "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
