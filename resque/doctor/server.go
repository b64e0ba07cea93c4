package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxSkew is how much the clocks of this host and Redis may differ.
const maxSkew = 5 * time.Second

// slow is how long a command of Redis may take.
const slow = 50 * time.Millisecond

// server checks Redis itself.
func (c *checkup) server(ctx context.Context) error {
	text, err := c.client.ServerInfo(ctx)
	if err := c.unless(err, "R04", "R05"); err != nil {
		return err
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	if v := info["redis_version"]; v != "" {
		c.report.Server = "redis " + v
		if name := info["server_name"]; name != "" {
			c.report.Server = name + " " + info[name+"_version"]
		}
		c.version(v)
	}
	c.memory(info)
	settings, err := c.store.Settings(ctx, "maxmemory-policy", "appendonly", "save", "min-replicas-to-write", "timeout")
	if err := c.unless(err, "R01", "R02", "R03", "R07"); err != nil {
		return err
	}
	if settings != nil {
		c.settings(settings, info)
	}
	if skew := time.Since(c.snap.Now); skew.Abs() > maxSkew+c.snap.RoundTrip {
		c.add(Finding{
			Code: "R06", Severity: Problem, Title: "The clocks of this host and of Redis differ",
			Evidence: []string{fmt.Sprintf("by %v", skew.Round(time.Second))},
			Cost:     "Ruby's schedulers on such a host move delayed jobs too early or too late. Times in logs and lists mislead. Go's workers and schedulers use Redis's clock.",
			Fix:      "Run an NTP client on this host and on the host of Redis.",
		})
	}
	if err := c.clients(ctx); err != nil {
		return err
	}
	return c.slowScripts(ctx)
}

// clients checks whether workers may ask Redis which of them are connected.
func (c *checkup) clients(ctx context.Context) error {
	refusal, err := c.store.ClientListRefusal(ctx)
	if err != nil || refusal == "" {
		return err
	}
	c.add(Finding{
		Code: "R08", Severity: Notice, Title: "Redis does not let this user list its clients", Evidence: []string{refusal},
		Cost: "Go workers cannot see which of them are connected. They judge each other by their heartbeats only, so a dead one is found later.",
		Fix:  "Let the users of workers and of doctor run it: ACL SETUSER NAME +client|list.",
	})
	return nil
}

func (c *checkup) version(v string) {
	major, rest, _ := strings.Cut(v, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err1 := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	if err1 != nil || err2 != nil || a > 6 || a == 6 && b >= 2 {
		return
	}
	c.add(Finding{
		Code: "R05", Severity: Problem, Title: "Redis is older than 6.2", Evidence: []string{v},
		Cost: "goresque is tested with Redis 6.2 and later. Older ones lack commands that it uses.",
		Fix:  "Upgrade Redis.",
	})
}

func (c *checkup) memory(info map[string]string) {
	used, err1 := strconv.ParseInt(info["used_memory"], 10, 64)
	limit, err2 := strconv.ParseInt(info["maxmemory"], 10, 64)
	if err1 != nil || err2 != nil || limit == 0 || used*5 < limit*4 {
		return
	}
	c.add(Finding{
		Code: "R04", Severity: Problem, Title: "Redis's memory is almost full",
		Evidence: []string{fmt.Sprintf("%d of %d MB are used", used>>20, limit>>20)},
		Cost:     "When it is full, Redis refuses new jobs, or removes keys, as maxmemory-policy says.",
		Fix:      "Find the largest lists below (K06). Remove old failures, add workers, or raise maxmemory.",
	})
}

func (c *checkup) settings(settings, info map[string]string) {
	if policy := settings["maxmemory-policy"]; policy != "" && policy != "noeviction" {
		c.add(Finding{
			Code: "R01", Severity: Problem, Title: "Redis may remove jobs when its memory is full",
			Evidence: []string{"maxmemory-policy is " + policy},
			Cost:     "Queues and records of running jobs are lost without a trace.",
			Fix:      "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf.",
		})
	}
	appendOnly, known := settings["appendonly"]
	if known && appendOnly == "no" && settings["save"] == "" {
		c.add(Finding{
			Code: "R02", Severity: Problem, Title: "Redis saves nothing to its disk",
			Evidence: []string{"appendonly is no, and save is empty"},
			Cost:     "If Redis ends or its host restarts, all jobs are lost.",
			Fix:      "CONFIG SET appendonly yes, and the same in redis.conf.",
		})
	}
	replicas, _ := strconv.Atoi(info["connected_slaves"])
	if replicas > 0 && settings["min-replicas-to-write"] == "0" {
		c.add(Finding{
			Code: "R03", Severity: Notice, Title: "The master takes writes without its replicas",
			Evidence: []string{fmt.Sprintf("%d replicas are connected, and min-replicas-to-write is 0", replicas)},
			Cost:     "A master that is cut off from its replicas takes jobs that are lost when a replica takes over.",
			Fix:      "CONFIG SET min-replicas-to-write 1, and the same in redis.conf.",
		})
	}
	if seconds, err := strconv.Atoi(settings["timeout"]); err == nil && seconds > 0 && seconds < 60 {
		c.add(Finding{
			Code: "R07", Severity: Notice, Title: "Redis closes idle connections before the next heartbeat",
			Evidence: []string{fmt.Sprintf("timeout is %d seconds", seconds)},
			Cost:     "The connection that shows that a worker is alive is opened again and again. In between only its heartbeats show it.",
			Fix:      "CONFIG SET timeout 0, or more than 60.",
		})
	}
}

func (c *checkup) slowScripts(ctx context.Context) error {
	longest, n, err := c.store.SlowScripts(ctx, slow)
	if err := c.unless(err, "R09"); err != nil || n == 0 {
		return err
	}
	c.add(Finding{
		Code: "R09", Severity: Notice, Title: "Scripts of this namespace held Redis up", Count: n,
		Evidence: []string{fmt.Sprintf("the longest took %v", longest.Round(time.Millisecond))},
		Cost:     "All other clients of Redis wait in the meantime.",
		Fix:      "Look at SLOWLOG GET, and for payloads of several MB (K06): store large data elsewhere and enqueue its id. A busy host also makes commands slow.",
	})
	return nil
}
