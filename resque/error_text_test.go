package resque_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The text of each exported error value begins with the name of its package. The errors
// of jobs have Ruby's texts instead, because they are recorded as failures; they have a
// method ExceptionName.
func TestExportedErrorsHaveTheirPackagesName(t *testing.T) {
	t.Parallel()
	found := 0
	for _, dir := range []string{".", "../worker", "../web", "../cli", "activejob", "embedded", "resquetest", "scheduler"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			require.NoError(t, err)
			for value, text := range newErrors(file) {
				found++
				assert.Truef(t, strings.HasPrefix(text, file.Name.Name+": "), "%s: %s is %q", name, value, text)
				assert.Equal(t, 1, strings.Count(text, file.Name.Name+": "), value)
			}
		}
	}
	assert.Greater(t, found, 15)
}

// newErrors returns the texts of the exported variables that errors.New makes.
func newErrors(file *ast.File) map[string]string {
	texts := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != len(spec.Names) {
			return true
		}
		for i, name := range spec.Names {
			call, ok := spec.Values[i].(*ast.CallExpr)
			if !ok || !name.IsExported() || len(call.Args) != 1 {
				continue
			}
			if fun, ok := call.Fun.(*ast.SelectorExpr); !ok || fun.Sel.Name != "New" {
				continue
			}
			if text, ok := call.Args[0].(*ast.BasicLit); ok {
				texts[name.Name], _ = strconv.Unquote(text.Value) // it compiles
			}
		}
		return true
	})
	return texts
}
