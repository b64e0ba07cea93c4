package resque

import (
	"bytes"
	"path"
	"strings"
)

// own is the prefix of this package's functions in a stack.
const own = "github.com/goresque/goresque/resque."

// Prefixes of goresque's middleware that may be in a stack between a handler and Perform.
const (
	ownTraces  = "github.com/goresque/goresque/resque/otel."
	ownMetrics = "github.com/goresque/goresque/resque/prom."
)

// rubyFrames converts a stack of runtime/debug to frames in Ruby's form, "file:line:in
// `func'". It starts at the call that panicked and ends before Perform. It omits the
// frames of the panic itself and of this library. Frames of the standard library come
// after those of the application, because front ends show the first frame.
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
		if strings.HasPrefix(lines[i], "...") { // "...12 frames elided...", one line without a file
			i++
		}
		if i+1 >= len(lines) {
			break
		}
		name, at := functionName(lines[i]), strings.TrimSpace(lines[i+1])
		if name == "panic" { // the frames before it belong to the recovery
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

// libraryRoot returns the directory of this package's files, taken from the frame of
// Perform. It returns "" if that frame is elided.
func libraryRoot(lines []string) string {
	for i := 0; i+1 < len(lines); i++ {
		if functionName(lines[i]) == own+"Perform" {
			return path.Dir(strings.TrimSpace(lines[i+1])) + "/"
		}
	}
	return ""
}

// isLibrary reports whether a frame belongs to this library. It checks the file, because
// a function that is inlined into the application's is named after the application.
func isLibrary(file, root string) bool {
	return root != "" && strings.HasPrefix(file, root) && !strings.Contains(file, "_test.go:")
}

// standardRoot returns the directory of the standard library's files, taken from the
// first frame, which is debug.Stack. It returns "" if the program was built with
// -trimpath.
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

// isStandard reports whether a frame belongs to the standard library. It checks the file
// or, if root is empty, whether the package path begins with a domain.
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

// functionName returns the function of a line in a stack, without its arguments.
func functionName(fn string) string {
	fn, _, _ = strings.Cut(strings.TrimPrefix(fn, "created by "), " in goroutine ")
	if open := strings.LastIndexByte(fn, '('); open > 0 && strings.HasSuffix(fn, ")") {
		return fn[:open]
	}
	return fn
}
