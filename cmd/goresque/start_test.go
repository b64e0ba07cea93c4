package main_test

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each start of the program initializes all packages that it links, also in a child
// process. So ours must not compile regular expressions or parse templates then.
func TestOurPackagesInitializeLittle(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(build(t), "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	all := regexp.MustCompile(`(?m)^init (\S+) .* (\d+) allocs$`).FindAllStringSubmatch(string(out), -1)
	require.NotEmpty(t, all)
	ours := regexp.MustCompile(`^github\.com/goresque/goresque/`)
	for _, line := range all {
		allocs, err := strconv.Atoi(line[2])
		require.NoError(t, err)
		if ours.MatchString(line[1]) {
			assert.LessOrEqual(t, allocs, 50, line[0])
		}
	}
}
