package usermodule

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// required are the versions that the user's module requires. They are the oldest that
// our go.mod allows: if go.mod requires a newer one, the test fails, and
// docs/decisions/0006-oldest-dependencies.md needs a reason.
var required = map[string]string{ //nolint:gochecknoglobals // a table
	"github.com/gomodule/redigo": "v1.9.2",
	"github.com/jackc/pgx/v5":    "v5.5.4",
	"github.com/spf13/cobra":     "v1.6.0",
	"golang.org/x/text":          "v0.14.0",
	"gorm.io/gorm":               "v1.25.2",
}

const program = `package shop

import (
	_ "github.com/gomodule/redigo/redis"
	_ "github.com/jackc/pgx/v5"
	_ "github.com/spf13/cobra"
	_ "golang.org/x/text/language"
	_ "gorm.io/gorm"
)
`

const jobs = `package shop

import (
	"context"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

var exporter = resque.Define1[int64]("Exporter", "exports")

func enqueue(ctx context.Context, client *resque.Client, mux *resque.Mux) error {
	if _, err := worker.New(client, mux, worker.Config{}); err != nil {
		return err
	}
	_, err := client.Enqueue(ctx, exporter.Job(7))
	return err
}
`

func TestGetKeepsVersionsOfUser(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	m := module{t, t.TempDir()}
	var mod strings.Builder
	mod.WriteString("module example.com/shop\n\ngo 1.25\n\n")
	for _, path := range slices.Sorted(maps.Keys(required)) {
		mod.WriteString("require " + path + " " + required[path] + "\n")
	}
	m.write("go.mod", mod.String()+"\nreplace github.com/goresque/goresque => "+root+"\n")
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	m.write("go.sum", string(sums)) // so that fewer sums are looked up
	m.write("shop.go", program)

	m.fetch("mod", "download")
	m.write("jobs.go", jobs)
	m.fetch("get", "github.com/goresque/goresque@v0.0.0")
	assert.Equal(t, required, m.versions(), "after go get")
	m.fetch("mod", "tidy")
	assert.Equal(t, required, m.versions(), "after go mod tidy")
	out, err := m.run("build", "./...")
	require.NoError(t, err, "%s", out)
}

// module is the user's module.
type module struct {
	t   *testing.T
	dir string
}

func (m module) write(name, content string) {
	m.t.Helper()
	require.NoError(m.t, os.WriteFile(filepath.Join(m.dir, name), []byte(content), 0o600))
}

// fetch runs a command that may download modules, and skips the test if it fails.
func (m module) fetch(args ...string) {
	m.t.Helper()
	out, err := m.run(args...)
	if err != nil {
		m.t.Logf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	redistest.Require(m.t, "modules", err == nil)
}

// versions returns the versions of the required modules that the go command selects.
func (m module) versions() map[string]string {
	m.t.Helper()
	args := append([]string{"list", "-m"}, slices.Sorted(maps.Keys(required))...)
	out, err := m.run(args...)
	require.NoError(m.t, err, "%s", out)
	found := map[string]string{}
	for line := range strings.Lines(out) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[path] = version
	}
	return found
}

func (m module) run(args ...string) (string, error) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), "go", args...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}
