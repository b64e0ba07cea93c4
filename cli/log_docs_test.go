package cli_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sources calls visit with every node of the packages that make up a worker.
func sources(t *testing.T, visit func(file string, node ast.Node)) {
	t.Helper()
	for _, root := range []string{"../worker", "../cli", "../internal", "../resque"} {
		require.NoError(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "redistest") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err == nil {
				ast.Inspect(file, func(node ast.Node) bool {
					visit(path, node)
					return true
				})
			}
			return err
		}))
	}
}

func text(node ast.Expr) (string, bool) {
	literal, ok := node.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(literal.Value)
	return value, err == nil
}

// called returns the name of the method and its first argument if that is a string. A
// leading context argument and the suffix Context of the name are ignored.
func called(node ast.Node) (method, first string, ok bool) {
	call, isCall := node.(*ast.CallExpr)
	if !isCall || len(call.Args) == 0 {
		return "", "", false
	}
	selector, isMethod := call.Fun.(*ast.SelectorExpr)
	if !isMethod {
		return "", "", false
	}
	method, withContext := strings.CutSuffix(selector.Sel.Name, "Context")
	args := call.Args
	if withContext && len(args) > 1 {
		args = args[1:]
	}
	first, ok = text(args[0])
	return method, first, ok
}

// messages returns the logged messages: those of slog's methods, and the two of an
// outage.
func messages(node ast.Node) []string {
	if pair, ok := node.(*ast.KeyValueExpr); ok {
		key, isName := pair.Key.(*ast.Ident)
		if value, ok := text(pair.Value); ok && isName && (key.Name == "Begun" || key.Name == "Over") {
			return []string{value}
		}
	}
	method, first, ok := called(node)
	if ok && slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, method) {
		return []string{first}
	}
	return nil
}

// lines returns the log lines that docs/operations.md explains. A line that ends in …
// stands for all that begin with it.
func lines(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(page), "\n## Log lines\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	var explained []string
	for row := range strings.Lines(section) {
		if cells := strings.Split(row, "|"); len(cells) > 2 {
			for i, word := range strings.Split(cells[1], "`") {
				if i%2 == 1 {
					explained = append(explained, word)
				}
			}
		}
	}
	require.NotEmpty(t, explained)
	return explained
}

// Every log line of a worker is explained, and every explained line is still logged.
func TestOperationsExplainsEveryLogLine(t *testing.T) {
	t.Parallel()
	explained := lines(t)
	used := map[string]bool{}
	found := 0
	sources(t, func(file string, node ast.Node) {
		for _, message := range messages(node) {
			found++
			i := slices.IndexFunc(explained, func(line string) bool {
				begin, cut := strings.CutSuffix(line, "…")
				return message == line || (cut && strings.HasPrefix(message, begin))
			})
			if assert.GreaterOrEqual(t, i, 0, "%s: %q is not in docs/operations.md, Log lines", file, message) {
				used[explained[i]] = true
			}
		}
	})
	assert.Greater(t, found, 20, "the messages are still found")
	for _, line := range explained {
		assert.True(t, used[line], "%q is explained, but never logged", line)
	}
}

// Variables without a flag are also in the table of docs/operations.md.
func TestOperationsNamesEveryVariable(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	sources(t, func(file string, node ast.Node) {
		if method, name, ok := called(node); ok && method == "Getenv" {
			assert.True(t, strings.Contains(string(page), "`"+name+"`"), "%s: %s is not in docs/operations.md", file, name)
		}
	})
}
