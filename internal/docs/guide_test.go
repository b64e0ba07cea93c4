package docs_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// block matches a code block that a comment marks: with run, or with the file that has the
// code, and perhaps the name under which a reader saves it.
var block = regexp.MustCompile("(?ms)^<!-- (run(?:, needs (?:Resque|Sidekiq))?|from (\\S+?)(?:, saved as (\\S+))?) -->\n```(\\w+)\n(.*?)^```$")

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
			for part := range strings.SplitSeq(flat(b[5]), "\n…\n") {
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

// The shell commands after comments with “run” work, in the order of their document. Those
// of a console print what the document shows; … in a line stands for any text. Those that
// need Resque or Sidekiq are for Ruby. Without it, the others run.
func TestGuidesShowCommandsThatWork(t *testing.T) {
	t.Parallel()
	ran := 0
	for _, document := range documents(t) {
		var steps []step
		needs := ""
		for _, b := range block.FindAllStringSubmatch(read(t, document), -1) {
			_, tool, _ := strings.Cut(b[1], "run, needs ")
			if tool != "" {
				needs = tool
			}
			before := len(steps)
			switch {
			case b[3] != "":
				steps = append(steps, step{script: "cat >" + b[3] + " <<'END OF FILE'\n" + b[5] + "END OF FILE\n"})
			case b[2] != "":
			case b[4] == "console":
				steps = append(steps, console(b[5])...)
			default:
				steps = append(steps, step{script: b[5]})
			}
			for i := range steps[before:] {
				steps[before+i].needs = tool
			}
		}
		if len(steps) == 0 {
			continue
		}
		ran++
		t.Run(document, func(t *testing.T) {
			t.Parallel()
			tool, have := rubyHas(t, needs)
			if !have {
				steps = slices.DeleteFunc(steps, func(s step) bool { return s.needs != "" })
			}
			runSteps(t, steps)
			redistest.Require(t, tool, have)
		})
	}
	assert.Positive(t, ran)
}

// rubyHas reports whether Ruby has what a guide needs, and returns its name for
// GORESQUE_REQUIRE.
func rubyHas(t *testing.T, needs string) (tool string, have bool) {
	t.Helper()
	switch needs {
	case "Resque":
		return "ruby", exec.CommandContext(t.Context(), "ruby", "-rresque", "-e", "").Run() == nil
	case "Sidekiq":
		return "sidekiq", exec.CommandContext(t.Context(), "ruby", "-rresque", "-rsidekiq/api", "-e", "").Run() == nil
	default:
		return "", true
	}
}

// step is a part of a guide's script, with what it prints if the guide shows that.
type step struct {
	script string
	shown  bool
	output string
	needs  string // Resque or Sidekiq, or nothing but Go
}

// console returns the steps of a block with prompts.
func console(text string) []step {
	var steps []step
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, step{script: command, shown: true})
		} else if last := len(steps) - 1; last >= 0 {
			steps[last].output += line
		}
	}
	return steps
}

// ofThisTree is a go command that builds this tree into bin of the script's directory, and
// for which “go get” of this module gets this tree. Both use the paths of all other builds,
// so most packages are already compiled.
const ofThisTree = `go() {
	case "$*" in
	"build -o bin/"*) command go -C "$TREE" build -o "$PWD/$3" "$4" ;;
	"get github.com/goresque/goresque") command go work init . "$TREE" ;;
	*) command go "$@" ;;
	esac
}
`

// runSteps runs the steps of a guide in an empty directory, with a new Redis.
func runSteps(t *testing.T, steps []step) {
	t.Helper()
	dir, outputs := t.TempDir(), t.TempDir()
	top, err := filepath.Abs(root)
	require.NoError(t, err)
	var script strings.Builder
	script.WriteString(ofThisTree)
	file := func(i int) string { return filepath.Join(outputs, strconv.Itoa(i)) }
	for i, s := range steps {
		if s.shown {
			fmt.Fprintf(&script, "{ %s} >%s\n", s.script, file(i))
		} else {
			script.WriteString(s.script)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euxc", script.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "REDIS_URL="+redistest.Start(t).URL, "TREE="+top, "GOWORK=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for i, s := range steps {
		if s.shown {
			printed, err := os.ReadFile(file(i))
			require.NoError(t, err)
			pattern := strings.ReplaceAll(regexp.QuoteMeta(s.output), "…", ".*")
			assert.Regexp(t, `\A`+pattern+`\z`, string(printed), s.script)
		}
	}
}
