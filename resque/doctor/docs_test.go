package doctor_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The guide lists each code, and no others.
func TestGuideListsAllCodes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var inCode []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?:Code: |addOrphans\()"([A-Z]\d\d)"`).FindAllSubmatch(text, -1) {
			inCode = append(inCode, string(m[1]))
		}
	}
	guide, err := os.ReadFile("../../docs/doctor.md")
	require.NoError(t, err)
	var inGuide []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([A-Z]\d\d) \| (?:[^`+"`"+`]|`+"`[^T]"+`)`).FindAllSubmatch(guide, -1) {
		inGuide = append(inGuide, string(m[1]))
	}
	assert.ElementsMatch(t, inCode, inGuide)
}

// The guide names the test of each code, with all the faults that the test makes.
func TestGuideNamesTheTestOfEachCode(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{} // what follows a code in the guide
	for _, file := range []string{"server_test.go", "doctor_test.go"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var test string
		for line := range strings.Lines(string(text)) {
			if m := regexp.MustCompile(`^func (Test\w+)`).FindStringSubmatch(line); m != nil {
				test = m[1]
			}
			if m := regexp.MustCompile(`^\t\t"([A-Z]\d\d): (.+?)":`).FindStringSubmatch(line); m != nil {
				tests[m[1]] = append(tests[m[1]], test+": "+m[2])
			}
		}
	}
	guide, err := os.ReadFile("../../docs/doctor.md")
	require.NoError(t, err)
	inGuide := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([A-Z]\d\d) \| `+"`(Test.+)`"+` \| (.+) \|$`).FindAllStringSubmatch(string(guide), -1) {
		for fault := range strings.SplitSeq(m[3], "; ") {
			inGuide[m[1]] = append(inGuide[m[1]], m[2]+": "+fault)
		}
	}
	assert.Equal(t, tests, inGuide)
	for _, m := range regexp.MustCompile(`(?m)^\| ([A-Z]\d\d) \| [^`+"`"+`]`).FindAllSubmatch(guide, -1) {
		assert.NotEmpty(t, inGuide[string(m[1])], "%s has no test", m[1])
	}
}
