package doctor_test

import (
	"os"
	"path/filepath"
	"regexp"
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
	for _, m := range regexp.MustCompile(`(?m)^\| ([A-Z]\d\d) \|`).FindAllSubmatch(guide, -1) {
		inGuide = append(inGuide, string(m[1]))
	}
	assert.ElementsMatch(t, inCode, inGuide)
}
