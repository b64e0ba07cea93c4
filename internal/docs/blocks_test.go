package docs_test

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque/outbox"
)

// blocks returns the text of all blocks of a language in a document.
func blocks(t *testing.T, document, language string) []string {
	t.Helper()
	var found []string
	for _, b := range anyBlock.FindAllStringSubmatch(read(t, document), -1) {
		if b[1] == language {
			found = append(found, b[2])
		}
	}
	return found
}

// The alerts use metrics and labels that the tables have. promtool reads the
// expressions, if it is installed.
func TestAlertsUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/metrics.md")
	labels := map[string][]string{} // of each metric
	for _, row := range regexp.MustCompile("(?m)^\\| `(resque_[a-z_]+)` \\| \\w+ \\|([^|]*)\\|").FindAllStringSubmatch(text, -1) {
		labels[row[1]] = []string{"instance"} // from Prometheus
		for _, label := range span.FindAllStringSubmatch(row[2], -1) {
			labels[row[1]] = append(labels[row[1]], label[1])
		}
	}
	require.Greater(t, len(labels), 10)
	var group struct {
		Name  string `yaml:"name"`
		Rules []struct {
			Alert string
			Expr  string
			For   string `yaml:"for,omitempty"`
		}
	}
	group.Name = "goresque"
	for _, block := range blocks(t, "docs/metrics.md", "yaml") {
		require.NoError(t, yaml.Unmarshal([]byte(block), &group.Rules))
	}
	require.Greater(t, len(group.Rules), 4)
	metric := regexp.MustCompile(`resque_[a-z_]+`)
	for _, rule := range group.Rules {
		names := metric.FindAllString(rule.Expr, -1)
		assert.NotEmpty(t, names, rule.Alert)
		for _, name := range names {
			require.Contains(t, labels, name, rule.Alert)
		}
		for _, list := range regexp.MustCompile(`(?:by|on) \(([^)]*)\)`).FindAllStringSubmatch(rule.Expr, -1) {
			assert.True(t, slices.ContainsFunc(names, func(name string) bool { return slices.Contains(labels[name], list[1]) }), "%s: %s", rule.Alert, list[0])
		}
		for _, matcher := range regexp.MustCompile(`(resque_[a-z_]+)\{([a-z_]+)`).FindAllStringSubmatch(rule.Expr, -1) {
			assert.Contains(t, labels[matcher[1]], matcher[2], rule.Alert)
		}
	}
	promtool, err := exec.LookPath("promtool")
	redistest.Require(t, "promtool", err == nil)
	rules, err := yaml.Marshal(map[string]any{"groups": []any{group}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "rules.yml")
	require.NoError(t, os.WriteFile(file, rules, 0o600))
	out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// SQLite runs the SQL of the documents. A test of resque/outbox compares the tables of both
// databases with the package, and runs PostgreSQL's.
func TestSQLInDocumentsRuns(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "app.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	ran := 0
	for _, document := range documents(t) {
		for _, block := range blocks(t, document, "sql") {
			if strings.TrimSpace(block) == outbox.PostgresTable {
				continue
			}
			ran++
			_, err := db.ExecContext(t.Context(), block)
			assert.NoError(t, err, "%s:\n%s", document, block)
		}
	}
	assert.GreaterOrEqual(t, ran, 2)
}

// Ruby can parse the Ruby code of the documents.
func TestRubyInDocumentsCanBeParsed(t *testing.T) {
	t.Parallel()
	ruby, err := exec.LookPath("ruby")
	redistest.Require(t, "ruby", err == nil)
	var all strings.Builder // one process reads all
	parsed := 0
	for _, document := range documents(t) {
		for _, block := range blocks(t, document, "ruby") {
			parsed++
			all.WriteString("# " + document + "\n" + strings.ReplaceAll(block, "…", "nil") + "\n")
		}
	}
	assert.Greater(t, parsed, 4)
	check := exec.CommandContext(t.Context(), ruby, "-c")
	check.Stdin = strings.NewReader(all.String())
	out, err := check.CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, &all)
}
