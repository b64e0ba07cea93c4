package web

import (
	"net/http"
	"net/url"
	"strings"
)

// route is a path of the dashboard. A segment of pattern that begins with a
// colon stands for any one segment. Ruby's front end has most of them, in this
// order of precedence: a literal segment before a parameter. http.ServeMux cannot
// hold them all: it takes some for ambiguous.
type route struct {
	method, pattern string
	serve           func(q *request) error
	right           string // that it takes, beside the level
}

// segments splits a path as it was sent, so that a slash in a name, as %2F, is
// no separator. One slash at the end is as none.
func segments(u *url.URL) ([]string, error) {
	path := strings.TrimPrefix(u.EscapedPath(), "/")
	path = strings.TrimSuffix(path, "/")
	parts := strings.Split(path, "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return nil, err //nolint:wrapcheck // told as a path that is not there
		}
		parts[i] = plain
	}
	return parts, nil
}

// base is the way from a page back to where the dashboard is mounted: all links
// are relative, so that it need not know where that is.
func base(u *url.URL) string {
	depth := strings.Count(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if depth == 0 {
		return "./"
	}
	return strings.Repeat("../", depth)
}

// match finds the route of a path, and what stands for its parameters. allowed
// are the methods of the routes whose pattern matches, for an answer 405.
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

// matchJSON finds the route of a page whose last segment has ".json" behind its
// name. A name of a queue or a key may end like that itself, and is no such page.
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
