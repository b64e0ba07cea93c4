package resque

import (
	"bytes"
	"path"
	"strings"
)

// own is how this package's functions are named in a stack.
const own = "github.com/goresque/goresque/resque."

// Middleware of our own that stands in a stack between a handler and Perform.
const (
	ownTraces  = "github.com/goresque/goresque/resque/otel."
	ownMetrics = "github.com/goresque/goresque/resque/prom."
)

// rubyFrames turns a stack of runtime/debug into Ruby's "file:line:in `func'",
// from the panic outwards, up to the worker. The frames of the panic itself and
// of this library are left out, and those of the standard library come behind the
// application's: the first line is what front ends show.
//
// Ruby: Resque::Failure::Redis#filter_backtrace.
func rubyFrames(stack []byte) []string {
	application, standard := []string{}, []string{}
	lines := strings.Split(string(bytes.TrimSpace(stack)), "\n")
	if len(lines) > 0 && strings.HasPrefix(lines[0], "goroutine ") {
		lines = lines[1:]
	}
	root, library := standardRoot(lines), libraryRoot(lines)
	for i := 0; i+1 < len(lines); i += 2 {
		if strings.HasPrefix(lines[i], "...") { // "...12 frames elided...", a line of its own
			i++
		}
		if i+1 >= len(lines) {
			break
		}
		name, at := functionName(lines[i]), strings.TrimSpace(lines[i+1])
		if name == "panic" { // what came before is how the panic was caught
			application, standard = application[:0], standard[:0]
			continue
		}
		at, _, _ = strings.Cut(at, " +0x")
		frame := at + ":in `" + name + "'"
		switch {
		case name == own+"Perform":
			return append(application, standard...)
		case strings.HasPrefix(name, own) || isLibrary(at, library),
			strings.HasPrefix(name, ownTraces), strings.HasPrefix(name, ownMetrics):
		case isStandard(name, at, root):
			standard = append(standard, frame)
		default:
			application = append(application, frame)
		}
	}
	return append(application, standard...)
}

// libraryRoot is where this package's files are, by the frame of Perform. It is
// empty where that is elided.
func libraryRoot(lines []string) string {
	for i := 0; i+1 < len(lines); i++ {
		if functionName(lines[i]) == own+"Perform" {
			return path.Dir(strings.TrimSpace(lines[i+1])) + "/"
		}
	}
	return ""
}

// isLibrary tells a frame of this library by its file, since a function that is
// inlined into the application's has a name of the application.
func isLibrary(file, root string) bool {
	return root != "" && strings.HasPrefix(file, root) && !strings.Contains(file, "_test.go:")
}

// standardRoot is where the standard library's files are. The stack's first frame
// is one of them. It is empty for programs built with -trimpath.
func standardRoot(lines []string) string {
	if len(lines) < 2 {
		return ""
	}
	root, _, ok := strings.Cut(strings.TrimSpace(lines[1]), "runtime/debug/stack.go:")
	if !ok {
		return ""
	}
	return root
}

// isStandard tells a frame of the standard library by its file or, where files do
// not say it, by a package's path that begins with no domain.
func isStandard(name, file, root string) bool {
	if root != "" {
		return strings.HasPrefix(file, root)
	}
	domain, _, within := strings.Cut(name, "/")
	if !within {
		domain, _, _ = strings.Cut(name, ".")
	}
	return domain != "main" && !strings.Contains(domain, ".")
}

// functionName is a stack's function without its arguments' words.
func functionName(fn string) string {
	fn, _, _ = strings.Cut(strings.TrimPrefix(fn, "created by "), " in goroutine ")
	if open := strings.LastIndexByte(fn, '('); open > 0 && strings.HasSuffix(fn, ")") {
		return fn[:open]
	}
	return fn
}
