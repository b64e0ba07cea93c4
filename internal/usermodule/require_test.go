package usermodule

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDecisionListsVersions checks that the decision about dependencies gives a reason
// for each version that go.mod requires directly.
func TestDecisionListsVersions(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	decision, err := os.ReadFile("../../docs/decisions/0006-oldest-dependencies.md")
	require.NoError(t, err)
	var versions strings.Builder // the rows' second cells
	for _, row := range regexp.MustCompile(`(?m)^\|[^|]*\|([^|]*)\|`).FindAllSubmatch(decision, -1) {
		versions.Write(row[1])
	}
	direct := regexp.MustCompile(`(?m)^\t(\S+) (v\S+)$`).FindAllStringSubmatch(string(mod), -1)
	require.NotEmpty(t, direct)
	for _, module := range direct {
		assert.Contains(t, versions.String()+" ", " "+module[2], "the version of %s", module[1])
	}
	// Users would have to require them too.
	for _, forTests := range []string{"chromedp", "golang.org/x/net"} {
		assert.NotContains(t, string(mod), forTests)
	}
}
