package docs_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

func TestSiteListsEachPageOnce(t *testing.T) {
	t.Parallel()
	_, nav, ok := strings.Cut(read(t, "mkdocs.yml"), "\nnav:\n")
	require.True(t, ok)
	var listed []string
	for _, page := range regexp.MustCompile(`\S+\.md`).FindAllString(nav, -1) {
		listed = append(listed, "docs/"+page)
	}
	var pages []string
	for _, document := range documents(t) {
		if strings.HasPrefix(document, "docs/") {
			pages = append(pages, document)
		}
	}
	assert.ElementsMatch(t, pages, listed)
}

func TestSiteBuilds(t *testing.T) {
	t.Parallel()
	mkdocs, err := exec.LookPath("mkdocs")
	redistest.Require(t, "mkdocs", err == nil)
	out, err := exec.CommandContext(t.Context(), mkdocs, "build", "--strict", "--quiet",
		"--config-file", root+"/mkdocs.yml", "--site-dir", t.TempDir()).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// README and start page show the same example, which is a part of a program.
func TestREADMEShowsAProgram(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```")
	example := blocks.FindStringSubmatch(read(t, "README.md"))
	require.NotNil(t, example)
	assert.Contains(t, read(t, "examples/first/main.go"), example[1])
	assert.Equal(t, example[0], blocks.FindString(read(t, "docs/index.md")))
}
