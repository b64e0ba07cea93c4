package docs_test

import (
	"bytes"
	"go/ast"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// The dashboard writes the metrics that docs/metrics.md has, of the types that it has. A
// test of resque/prom compares the same table with the metrics of that package.
func TestMetricsOfTheDashboardAreDocumented(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/metrics.md")
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(resque_[a-z_]+)` \\| (\\w+) \\|").FindAllStringSubmatch(text, -1) {
		documented[row[1]] = row[2]
	}
	written := map[string]string{}
	sources(t, func(file string, tree *ast.File, _ string) {
		ast.Inspect(tree, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || !strings.HasPrefix(file, "web/") || len(call.Args) != 3 {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "family" {
				return true
			}
			metric, _ := literal(call.Args[0])
			written[metric], _ = literal(call.Args[1])
			return true
		})
	})
	assert.Greater(t, len(written), 10)
	for metric, kind := range written {
		assert.Equal(t, kind, documented[metric], "the type of %s in docs/metrics.md", metric)
	}
	_, only, ok := strings.Cut(text, "\n### Only from the dashboard\n")
	require.True(t, ok)
	only, _, _ = strings.Cut(only, "\n### ")
	for _, metric := range regexp.MustCompile(`resque_[a-z_]+`).FindAllString(only, -1) {
		assert.Contains(t, written, metric)
	}
}

// The examples of the table Exit status end with these.
func TestExitStatuses(t *testing.T) {
	t.Parallel()
	environ := []string{"REDIS_URL=" + redistest.Start(t).URL}
	rows := 0
	for _, s := range sections(read(t, "docs/operations.md")) {
		if s.title != "Exit status" {
			continue
		}
		for line := range strings.Lines(s.text) {
			if !strings.HasPrefix(line, "| ") {
				continue
			}
			row := cells(line)
			status, err := strconv.Atoi(row[0])
			if err != nil {
				continue // the header
			}
			rows++
			words := strings.Fields(strings.Trim(row[2], "`"))
			require.Equal(t, "goresque", words[0])
			var out bytes.Buffer
			assert.Equal(t, status, goresque().Run(t.Context(), words[1:], environ, &out, &out), "%s: %s", row[2], &out)
		}
	}
	assert.Equal(t, 3, rows)
}
