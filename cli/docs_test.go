package cli_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The table of docs/operations.md has every flag and variable of work.
func TestOperationsNamesEveryFlag(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	for _, command := range []string{"work", "workers"} {
		help := run(t, nil, nil, command, "--help").stdout
		for _, flag := range regexp.MustCompile(`--([a-z-]+) `).FindAllStringSubmatch(help, -1) {
			if flag[1] != "help" {
				assert.Contains(t, string(page), "--"+flag[1]+"`", "flag --%s", flag[1])
			}
		}
		for _, variables := range regexp.MustCompile(`\[([A-Z_, ]+)\]`).FindAllStringSubmatch(help, -1) {
			for _, name := range regexp.MustCompile(`[A-Z_]+`).FindAllString(variables[1], -1) {
				assert.Contains(t, string(page), "`"+name+"`", "variable %s", name)
			}
		}
	}
}
