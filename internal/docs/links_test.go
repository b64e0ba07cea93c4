// Package docs tests the documents: README.md, CHANGELOG.md, CONTRIBUTING.md and docs/.
package docs_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	root = "../.."
	blob = "https://github.com/goresque/goresque/blob/main/"
)

// documents returns the paths of all documents, relative to root.
func documents(t *testing.T) []string {
	t.Helper()
	found := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md"}
	require.NoError(t, fs.WalkDir(os.DirFS(root), "docs", func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".md") {
			found = append(found, name)
		}
		return err
	}))
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(data)
}

var (
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^()\s]+(?:\([^()\s]*\))?)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// anchors returns the names that GitHub gives to a document's headings.
func anchors(text string) map[string]bool {
	names := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		title := link.ReplaceAllString(h[1], "]")
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, title)
		names[name] = true
	}
	return names
}

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	links := 0
	for _, document := range documents(t) {
		text := code.ReplaceAllString(fence.ReplaceAllString(read(t, document), ""), "``")
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			target := found[1]
			file, inRepository := strings.CutPrefix(target, blob)
			switch {
			case !inRepository && strings.Contains(target, "://"):
				continue // of another site
			case !inRepository:
				file = path.Join(path.Dir(document), target)
				if strings.HasPrefix(document, "docs/") {
					assert.True(t, strings.HasPrefix(file, "docs/"), "%s: %s: the site has only docs/; write %s…", document, target, blob)
				}
			}
			links++
			file, anchor, _ := strings.Cut(file, "#")
			if strings.HasPrefix(target, "#") {
				file = document
			}
			if _, err := os.Stat(filepath.Join(root, file)); !assert.NoError(t, err, "%s: %s", document, target) {
				continue
			}
			if anchor != "" && strings.HasSuffix(file, ".md") {
				assert.True(t, anchors(read(t, file))[anchor], "%s: %s has no heading %q", document, file, anchor)
			}
		}
	}
	assert.Greater(t, links, 100, "links found")
}
