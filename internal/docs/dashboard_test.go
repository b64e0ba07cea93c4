package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each line of the comparison in docs/dashboard.md names tests that exist, or a picture.
func TestComparisonOfDashboardsNamesTests(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(root, "web", "*_test.go"))
	require.NoError(t, err)
	routers, err := filepath.Glob(filepath.Join(root, "web", "mounttest", "*_test.go"))
	require.NoError(t, err)
	for _, file := range append(files, routers...) {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllSubmatch(data, -1) {
			tests[string(m[1])] = true
		}
	}
	_, table, ok := strings.Cut(read(t, "docs/dashboard.md"), "\n## Compared with other dashboards\n")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n## ")
	lines := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "| \n"), "|")
		if len(cells) != 5 || strings.Contains(line, "---") || strings.HasPrefix(strings.TrimSpace(line), "| |") {
			continue
		}
		lines++
		assert.Regexp(t, `^ *[✓◐–0-9G]`, cells[3], line)
		named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(cells[4], -1)
		assert.True(t, len(named) > 0 || strings.Contains(cells[4], ".png"), "nothing shows this: %s", line)
		for _, m := range named {
			assert.True(t, tests[m[1]], "%s does not exist: %s", m[1], line)
		}
		for _, m := range regexp.MustCompile(`\]\((img/[\w-]+\.png)\)`).FindAllStringSubmatch(cells[4], -1) {
			_, err := os.Stat(filepath.Join(root, "docs", filepath.FromSlash(m[1])))
			assert.NoError(t, err, line)
		}
	}
	assert.Greater(t, lines, 40)
}
