package web

import (
	"net/http"
	"net/url"
	"strings"
)

// route is a path of the dashboard. A segment of pattern that begins with a colon
// matches any one segment. Most routes are those of Ruby's front end. They are tried
// in order: a literal segment comes before a parameter. http.ServeMux cannot hold
// them all, because it considers some of them ambiguous.
type route struct {
	method, pattern string
	serve           func(q *request) error
	right           Right // needed in addition to the level
}

// segments splits an escaped path, so that an escaped slash (%2F) in a name does not
// separate. One trailing slash is ignored.
func segments(u *url.URL) ([]string, error) {
	path := strings.TrimPrefix(u.EscapedPath(), "/")
	path = strings.TrimSuffix(path, "/")
	parts := strings.Split(path, "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return nil, err //nolint:wrapcheck // the caller answers that the page does not exist
		}
		parts[i] = plain
	}
	return parts, nil
}

// base returns the relative path from a page to the dashboard's root. All links are
// relative, so the dashboard need not know its mount.
func base(u *url.URL) string {
	depth := strings.Count(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if depth == 0 {
		return "./"
	}
	return strings.Repeat("../", depth)
}

// match finds the route of a path and the values of its parameters. allowed are the
// methods of all routes with a matching pattern, for an answer with 405.
func match(routes []route, method string, path []string) (found *route, params map[string]string, allowed []string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range routes {
		p, ok := routes[i].fits(path)
		if !ok {
			continue
		}
		if routes[i].method == method {
			return &routes[i], p, nil
		}
		allowed = append(allowed, routes[i].method)
	}
	return nil, nil, allowed
}

// matchJSON finds the route of a page whose last segment is followed by ".json". The
// name of a queue or a key may end in ".json" itself; match has found that before.
func matchJSON(routes []route, method string, path []string) (found *route, params map[string]string, ok bool) {
	last := len(path) - 1
	plain, ok := strings.CutSuffix(path[last], ".json")
	if !ok || plain == "" {
		return nil, nil, false
	}
	path = append(path[:last:last], plain)
	found, params, _ = match(routes, method, path)
	return found, params, found != nil && !strings.Contains(found.pattern, ".")
}

func (r route) fits(path []string) (map[string]string, bool) {
	pattern := strings.Split(r.pattern, "/")
	if len(pattern) != len(path) {
		return nil, false
	}
	var params map[string]string
	for i, part := range pattern {
		name, isParameter := strings.CutPrefix(part, ":")
		switch {
		case !isParameter && part != path[i], isParameter && path[i] == "":
			return nil, false
		case isParameter:
			name, suffix, _ := strings.Cut(name, ".") // ":id.poll"
			value, ok := strings.CutSuffix(path[i], dotted(suffix))
			if !ok {
				return nil, false
			}
			if params == nil {
				params = map[string]string{}
			}
			params[name] = value
		}
	}
	return params, true
}

func dotted(suffix string) string {
	if suffix == "" {
		return ""
	}
	return "." + suffix
}

// table returns all routes. Ruby's come first in each group. Everything that changes
// something is a POST; where Ruby uses GET for a change, our GET asks for
// confirmation.
func (h *Dashboard) table() []route {
	get := func(pattern string, serve func(*request) error) route {
		return route{http.MethodGet, pattern, serve, ""}
	}
	post := func(pattern string, right Right, serve func(*request) error) route {
		return route{http.MethodPost, pattern, serve, right}
	}
	return []route{
		get("", h.overview), get("overview", h.overview), get("overview.poll", h.overview),
		get("overview/:id.poll", h.overview), get("overview/:id", h.overview),
		get("queues", h.queues), get("queues/:queue", h.queue),
		post("queues/:queue/remove", RightBulk, h.removeQueue), post("queues/:queue/clear", RightBulk, h.clearQueue),
		post("queues/remove", RightBulk, h.removeQueue), post("queues/clear", RightBulk, h.clearQueue), // names that no path can have
		post("queues/:queue/pause", RightPause, h.pauseQueue), post("queues/:queue/resume", RightPause, h.resumeQueue),
		post("queues/:queue/jobs/remove", RightRemove, h.removeJobs), post("queues/:queue/jobs/move", RightEdit, h.moveJobs),
		post("queues/:queue/jobs/matching", RightBulk, h.removeMatching), post("queues/:queue/jobs/matching/move", RightBulk, h.moveMatching),
		get("working", h.working), get("working.poll", h.working), get("working/:id", h.job),
		get("workers", h.workers), get("workers.poll", h.workers), get("workers/all", h.workers),
		post("workers/pause", RightPause, h.pauseAll), post("workers/resume", RightPause, h.resumeAll), post("workers/prune", RightWorkers, h.pruneStale),
		post("workers/:id/prune", RightWorkers, h.pruneOne), post("workers/:id/stop", RightWorkers, h.stopJob),
		post("workers/:id/quiet", RightWorkers, h.quietWorker), post("workers/:id/resume", RightWorkers, h.resumeWorker), post("workers/:id/shutdown", RightWorkers, h.endWorker),
		get("workers/:id.poll", h.worker), get("workers/:id", h.worker),
		get("failed", h.failed), get("failures/:id.json", h.failureJSON), get("failures/:id", h.failure),
		post("failed/clear", RightBulk, h.clearFailed), post("failed/clear_retried", RightBulk, h.clearRetried),
		post("failed/requeue", RightRetry, h.requeueSelected), post("failed/remove", RightRemove, h.removeSelected),
		post("failed/requeue/all", RightBulk, h.requeueAll),
		get("failed/requeue/:id", h.askRequeue), post("failed/requeue/:id", RightRetry, h.requeueOne),
		get("failed/remove/:id", h.askRemove), post("failed/remove/:id", RightRemove, h.removeOne),
		post("failed/:queue/clear", RightBulk, h.clearFailed), post("failed/:queue/requeue/all", RightBulk, h.requeueAll),
		get("failed/:queue/requeue/:id", h.askRequeue), post("failed/:queue/requeue/:id", RightRetry, h.requeueOne),
		get("failed/:queue/remove/:id", h.askRemove), post("failed/:queue/remove/:id", RightRemove, h.removeOne),
		get("failed/:queue", h.failed),
		get("schedule", h.schedule), get("schedule.poll", h.schedule), post("schedule", RightSchedule, h.deleteSchedule),
		{http.MethodDelete, "schedule", h.deleteSchedule, RightSchedule},
		post("schedule/requeue", RightSchedule, h.runSchedule), post("schedule/requeue_with_params", RightSchedule, h.runScheduleWith),
		post("schedule/enable", RightSchedule, h.switchOn), post("schedule/disable", RightSchedule, h.switchOff),
		get("delayed", h.delayed), get("delayed.poll", h.delayed), get("delayed/search", h.searchJobs), post("delayed/search", "", h.searchJobs),
		post("delayed/queue_now", RightSchedule, h.runDelayed), post("delayed/cancel_now", RightSchedule, h.cancelDelayed),
		post("delayed/queue_now/all", RightBulk, h.runAllDelayed), post("delayed/clear", RightBulk, h.clearDelayed),
		post("delayed/queue_now/:id", RightSchedule, h.runOneDelayed), post("delayed/cancel_now/:id", RightSchedule, h.cancelOneDelayed),
		get("delayed/jobs/:klass", h.delayedJobs),
		get("delayed/:ts.json", h.delayedSecond), get("delayed/:ts.poll", h.delayedSecond), get("delayed/:ts", h.delayedSecond),
		get("retry", h.retry), get("retry.poll", h.retry),
		post("retry/queue_now", RightSchedule, h.runRetries), post("retry/queue_now/all", RightBulk, h.runAllRetries),
		post("retry/queue_now/:id", RightSchedule, h.runOneRetry),
		post("retry/cancel_now", RightSchedule, h.cancelRetries), post("retry/clear", RightBulk, h.clearRetries),
		post("retry/cancel_now/:id", RightSchedule, h.cancelOneRetry),
		post("retry/give_up", RightSchedule, h.giveUpRetries), post("retry/give_up/all", RightBulk, h.giveUpAllRetries),
		post("retry/give_up/:id", RightSchedule, h.giveUpOneRetry),
		post("retry/:ts/remove", RightBulk, h.removeRetrySecond), post("retry/:ts/jobs/:id/remove", RightSchedule, h.removeRetry),
		get("retry/:ts.json", h.retrySecond), get("retry/:ts.poll", h.retrySecond), get("retry/:ts", h.retrySecond),
		get("batches", h.batches), get("batches.poll", h.batches), get("batches/:id.poll", h.batch), get("batches/:id", h.batch),
		post("batches/:id/cancel", RightBulk, h.cancelBatch),
		get("statuses", h.statuses), get("statuses.poll", h.statuses),
		post("statuses/clear", RightBulk, h.clearStatuses), post("statuses/clear/completed", RightBulk, h.clearCompleted),
		post("statuses/clear/failed", RightBulk, h.clearFailedStatuses), post("statuses/:id/kill", RightWorkers, h.killStatus),
		get("statuses/:id.js", h.statusJS), get("statuses/:id.poll", h.status), get("statuses/:id", h.status),
		get("limits", h.limits), get("limits.poll", h.limits), get("locks", h.locks),
		post("locks/release", RightBulk, h.releaseUnheld), post("locks/:id/release", RightBulk, h.releaseLock),
		get("doctor", h.doctor), get("doctor.poll", h.doctor), post("doctor/fix", RightBulk, h.fix),
		get("history", h.history), get("stats", h.stats), get("stats/resque", h.stats), get("stats/redis", h.redisStats),
		get("stats/keys", h.keys), get("stats/keys/:key", h.key), get("stats.txt", h.statsText),
		get("events", h.events), get("openapi.json", h.openapi), get("metrics", h.metrics), get("healthz", h.health),
		get("trash", h.trashed), get("ops/:id.json", h.operationJSON), get("ops/:id", h.operation), post("ops/:id/cancel", RightBulk, h.cancelOperation),
		post("trash/:id/restore", RightRemove, h.restore), post("settings", "", h.settings),
		get("assets/:name", h.asset),
	}
}
