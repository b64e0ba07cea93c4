package docs_test

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

// product has the directories of the code that users run. Tests are not in it.
func product() []string {
	return []string{"cli", "cmd", "demo", "internal", "resque", "web", "worker"}
}

// sources calls visit with each file of the product's code and its text.
func sources(t *testing.T, visit func(file string, tree *ast.File, text string)) {
	t.Helper()
	for _, dir := range product() {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if e.IsDir() && slices.Contains([]string{"testdata", "node_modules", "redistest", "browsertest", "chaos", "pgtest", "tmuxtest", "usermodule"}, e.Name()) {
				return fs.SkipDir
			}
			if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, data, parser.ParseComments|parser.SkipObjectResolution)
			if err == nil {
				visit(strings.TrimPrefix(filepath.ToSlash(path), root+"/"), file, string(data))
			}
			return err
		}))
	}
}

// sourceText returns the text of the product's code.
func sourceText(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	sources(t, func(_ string, _ *ast.File, text string) { all.WriteString(text) })
	return all.String()
}

// literal returns the value of a string literal.
func literal(node ast.Expr) (string, bool) {
	basic, ok := node.(*ast.BasicLit)
	if !ok || basic.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(basic.Value)
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
	first, ok = literal(args[0])
	return method, first, ok
}

// messages returns the logged messages: those of slog's methods, and the two of an
// outage.
func messages(node ast.Node) []string {
	if pair, ok := node.(*ast.KeyValueExpr); ok {
		key, isName := pair.Key.(*ast.Ident)
		if value, ok := literal(pair.Value); ok && isName && (key.Name == "Begun" || key.Name == "Over") {
			return []string{value}
		}
	}
	method, first, ok := called(node)
	if ok && slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, method) {
		return []string{first}
	}
	return nil
}

// explainedLines returns the log lines that docs/operations.md explains. A line that ends
// in … stands for all that begin with it.
func explainedLines(t *testing.T) []string {
	t.Helper()
	_, part, ok := strings.Cut(read(t, "docs/operations.md"), "\n## Log lines\n")
	require.True(t, ok)
	part, _, _ = strings.Cut(part, "\n## ")
	var lines []string
	for row := range strings.Lines(part) {
		if cells := strings.Split(row, "|"); len(cells) > 2 {
			for _, word := range span.FindAllStringSubmatch(cells[1], -1) {
				lines = append(lines, word[1])
			}
		}
	}
	require.NotEmpty(t, lines)
	return lines
}

// Every log line is explained, and every explained line is still logged.
func TestOperationsExplainsEveryLogLine(t *testing.T) {
	t.Parallel()
	explained := explainedLines(t)
	used := map[string]bool{}
	found := 0
	sources(t, func(file string, tree *ast.File, _ string) {
		if strings.HasPrefix(file, "demo/") {
			return // an example of an app, with an app's log
		}
		ast.Inspect(tree, func(node ast.Node) bool {
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
			return true
		})
	})
	assert.Greater(t, found, 80, "the messages are still found")
	for _, line := range explained {
		assert.True(t, used[line], "%q is explained, but never logged", line)
	}
}

// Variables that are read without a flag are also in docs/operations.md.
func TestOperationsNamesEveryVariable(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/operations.md") + read(t, "docs/testing.md")
	found := 0
	sources(t, func(file string, tree *ast.File, _ string) {
		constants := map[string]string{}
		ast.Inspect(tree, func(node ast.Node) bool {
			if spec, ok := node.(*ast.ValueSpec); ok {
				for i, name := range spec.Names {
					if i < len(spec.Values) {
						if value, ok := literal(spec.Values[i]); ok {
							constants[name.Name] = value
						}
					}
				}
			}
			return true
		})
		ast.Inspect(tree, func(node ast.Node) bool {
			method, name, ok := called(node)
			if call, isCall := node.(*ast.CallExpr); isCall && !ok && len(call.Args) == 1 {
				if selector, isSelector := call.Fun.(*ast.SelectorExpr); isSelector {
					if argument, isName := call.Args[0].(*ast.Ident); isName {
						method = selector.Sel.Name
						name, ok = constants[argument.Name]
					}
				}
			}
			if ok && (method == "Getenv" || method == "LookupEnv") && !strings.HasPrefix(name, "GORESQUE_") { // these tell a process what it is
				found++
				assert.True(t, strings.Contains(page, name), "%s: %s is not in docs/operations.md", file, name)
			}
			return true
		})
	})
	assert.Greater(t, found, 5)
}

// A document names only variables that some code reads.
func TestDocumentsNameVariablesThatExist(t *testing.T) {
	t.Parallel()
	source := sourceText(t) + read(t, "internal/redistest/redistest.go") + read(t, "internal/redistest/run.go")
	for _, document := range documents(t) {
		for _, name := range variables.FindAllString(read(t, document), -1) {
			if strings.HasPrefix(name, "RESQUE_") || strings.HasPrefix(name, "GORESQUE_") {
				assert.True(t, strings.Contains(source, name), "%s: no code reads %s", document, name)
			}
		}
	}
}
