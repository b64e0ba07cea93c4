package docs_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// imports returns the packages that Go code in a document may use, by their names.
func imports() map[string]string {
	paths := map[string]string{"require": "github.com/stretchr/testify/require"}
	for _, p := range []string{"context", "encoding/json", "errors", "fmt", "iter", "log/slog", "net/http", "os", "slices", "testing", "testing/synctest", "time"} {
		paths[p[strings.LastIndexByte(p, '/')+1:]] = p
	}
	for _, p := range []string{
		"cli", "resque", "resque/activejob", "resque/batch", "resque/crypt", "resque/doctor", "resque/limit", "resque/outbox",
		"resque/resquetest", "resque/resume", "resque/retry", "resque/scheduler", "resque/status", "resque/unique", "web", "worker",
	} {
		paths[p[strings.LastIndexByte(p, '/')+1:]] = "github.com/goresque/goresque/" + p
	}
	return paths
}

// exports returns an importer of the packages.
func exports(t *testing.T, paths []string) types.Importer {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}, paths...)...)
	list.Dir = root
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	require.NoError(t, err, "%s", &stderr)
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(files[path])
	})
}

var (
	declaration = regexp.MustCompile(`(?m)^(func|var|type|const) `)
	goBlock     = regexp.MustCompile("(?ms)(<!-- from [^>]+ -->\n)?^ *```go\n(.*?)^ *```$")
)

// Go code in the documents fits the packages: each name, type and number of arguments of
// theirs is right. What the code leaves out (…) and what is the reader's is not checked.
// Blocks that show lines of a file are compiled there.
func TestGoCodeInDocumentsFitsThePackages(t *testing.T) {
	t.Parallel()
	paths := imports()
	var all []string
	for _, p := range paths {
		all = append(all, p)
	}
	packages := exports(t, all)
	checked := 0
	for _, document := range documents(t) {
		for _, block := range goBlock.FindAllStringSubmatch(read(t, document), -1) {
			if block[1] != "" {
				continue
			}
			checked++
			for _, problem := range problems(packages, paths, block[2]) {
				assert.Fail(t, problem, "%s:\n%s", document, block[2])
			}
		}
	}
	assert.Greater(t, checked, 30)
}

// problems returns what is wrong with a block of Go code.
func problems(packages types.Importer, paths map[string]string, block string) []string {
	file, fset, err := parsed(block, paths)
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	config := types.Config{Importer: packages, Error: func(err error) {
		if e, ok := err.(types.Error); ok && !excused(e.Msg, paths) { //nolint:errorlint // go/types passes the type itself
			found = append(found, e.Msg)
		}
	}}
	_, _ = config.Check("documents", fset, []*ast.File{file}, nil)
	return found
}

// excused reports whether an error is about what a document leaves out.
func excused(message string, paths map[string]string) bool {
	if name, ok := strings.CutPrefix(message, "undefined: "); ok {
		name, _, _ = strings.Cut(name, ".")
		return paths[name] == ""
	}
	for _, part := range []string{
		"declared and not used", "imported and not used", "missing return", "no new variables", "redeclared in this block",
		"other declaration of", "result parameter", "outside of", "is not used", "not enough return values", "too many return values",
	} {
		if strings.Contains(message, part) {
			return true
		}
	}
	return false
}

// parsed returns a block as a file: its declarations, and its statements in a function.
func parsed(block string, paths map[string]string) (*ast.File, *token.FileSet, error) {
	block = regexp.MustCompile(`(?m)^import .*$`).ReplaceAllString(block, "")
	block = regexp.MustCompile(`(?m)(^|\s)//.*$`).ReplaceAllString(block, "")
	block = strings.NewReplacer("{ … }", "{ panic(0) }", ", …)", ")", "(…)", "()", "{…}", "{}").Replace(block)
	block = regexp.MustCompile(`(?m)^\s*…\s*$`).ReplaceAllString(block, "")
	if open := strings.Count(block, "{") - strings.Count(block, "}"); open > 0 {
		block += strings.Repeat("}\n", open) // the end is left out
	}
	var top, body []string
	depth := 0
	inTop := false
	for line := range strings.Lines(block) {
		if depth == 0 {
			inTop = declaration.MatchString(line)
		}
		for _, c := range line {
			switch c {
			case '{', '(':
				depth++
			case '}', ')':
				depth--
			default:
			}
		}
		if inTop {
			top = append(top, line)
		} else {
			body = append(body, line)
		}
	}
	var source strings.Builder
	source.WriteString("package documents\n")
	for name, path := range paths {
		if regexp.MustCompile(`\b`+name+`\.`).MatchString(block) && !slices.ContainsFunc(top, func(l string) bool { return strings.HasPrefix(l, "var "+name+" ") }) {
			fmt.Fprintf(&source, "import %s %q\n", name, path)
		}
	}
	fmt.Fprintf(&source, "%s\nfunc _() {\n%s\n}\n", strings.Join(top, ""), strings.Join(body, ""))
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "block.go", source.String(), parser.SkipObjectResolution)
	return file, fset, err
}
