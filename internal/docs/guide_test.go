package docs_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// block matches a code block that a comment marks.
var block = regexp.MustCompile("(?ms)^<!-- (run|from (\\S+)) -->\n```\\w+\n(.*?)^```$")

// A block after a comment with “from” and a file shows lines of that file. A line with …
// only stands for lines that are left out. Indentation may differ.
func TestGuidesShowCodeThatIsCompiled(t *testing.T) {
	t.Parallel()
	shown := 0
	for _, document := range documents(t) {
		for _, b := range block.FindAllStringSubmatch(read(t, document), -1) {
			if b[2] == "" {
				continue
			}
			shown++
			file := flat(read(t, b[2]))
			for part := range strings.SplitSeq(flat(b[3]), "\n…\n") {
				assert.Contains(t, file, "\n"+strings.Trim(part, "\n")+"\n", "%s shows lines that %s does not have", document, b[2])
			}
		}
	}
	assert.Positive(t, shown)
}

// flat returns text without the indentation of its lines.
func flat(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return "\n" + strings.Join(lines, "\n") + "\n"
}

// The shell commands after comments with “run” work, in the order of their document.
func TestGuidesShowCommandsThatWork(t *testing.T) {
	t.Parallel()
	ran := 0
	for _, document := range documents(t) {
		var script strings.Builder
		for _, b := range block.FindAllStringSubmatch(read(t, document), -1) {
			if b[1] == "run" {
				script.WriteString(b[3])
			}
		}
		if script.Len() == 0 {
			continue
		}
		ran++
		t.Run(document, func(t *testing.T) {
			t.Parallel()
			runScript(t, script.String())
		})
	}
	assert.Positive(t, ran)
}

// runScript runs a shell script in a copy of the tree that has only what a build needs,
// with a new Redis.
func runScript(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	top, err := filepath.Abs(root)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() != "bin" && e.Name() != "tmp" && e.Name() != ".git" {
			require.NoError(t, os.Symlink(filepath.Join(top, e.Name()), filepath.Join(dir, e.Name())))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euxc", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "REDIS_URL="+redistest.Start(t).URL)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}
