// Package scripts tests the scripts that only need git and the go command.
package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// repository is a small tree with the modules of the project, and a bare remote.
type repository struct {
	t           *testing.T
	dir, remote string
}

const module = "github.com/goresque/goresque"

func newRepository(t *testing.T) repository {
	t.Helper()
	for _, tool := range []string{"git", "tar"} {
		_, err := exec.LookPath(tool)
		redistest.Require(t, tool, err == nil)
	}
	r := repository{t, t.TempDir(), t.TempDir()}
	r.write("go.mod", "module "+module+"\n\ngo 1.25\n")
	r.write("resque/resque.go", "package resque\n\n// Hello greets.\nfunc Hello() string { return \"hello\" }\n")
	for _, name := range []string{"otel", "prom"} {
		r.write("resque/"+name+"/go.mod", "module "+module+"/resque/"+name+"\n\ngo 1.25\n\nrequire "+module+" v0.0.0\n\nreplace "+module+" => ../../\n")
		r.write("resque/"+name+"/"+name+".go", "package "+name+"\n\nimport \""+module+"/resque\"\n\n// Greeting greets.\nfunc Greeting() string { return resque.Hello() }\n")
	}
	r.version("0.1.0")
	r.git("init", "-q", "-b", "main")
	r.git("config", "user.name", "Ann")
	r.git("config", "user.email", "ann@example.com")
	r.commit()
	r.git("init", "-q", "--bare", r.remote)
	r.git("remote", "add", "origin", r.remote)
	return r
}

// version makes the tree one of that version.
func (r repository) version(version string) {
	r.write("cli/version.go", "package cli\n\nconst Version = \""+version+"\"\n")
	r.write("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n## ["+version+"] - 2026-12-01\n\n### Added\n\n- Jobs.\n")
}

func (r repository) write(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	require.NoError(r.t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(r.t, os.WriteFile(path, []byte(content), 0o600))
}

func (r repository) commit() {
	r.t.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "-m", "Change")
}

func (r repository) git(args ...string) string {
	r.t.Helper()
	out, err := r.run("git", args...)
	require.NoError(r.t, err, "git %v: %s", args, out)
	return out
}

// run runs a command in the repository. It has no settings of the user.
func (r repository) run(name string, args ...string) (string, error) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), name, args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// script runs a script of this directory in the repository.
func (r repository) script(name string, args ...string) (string, error) {
	r.t.Helper()
	path, err := filepath.Abs(name)
	require.NoError(r.t, err)
	return r.run("sh", append([]string{path}, args...)...)
}

// needTools skips the test if the pinned tools cannot be built, because no module proxy answers.
func (r repository) needTools() {
	r.t.Helper()
	tools, err := filepath.Abs("../tools/apidiff/go.mod")
	require.NoError(r.t, err)
	out, _ := r.run("go", "tool", "-modfile="+tools, "apidiff") // prints its usage
	redistest.Require(r.t, "modules", strings.Contains(out, "apidiff OLD NEW"))
}

func TestReleaseTagsAllModulesAtOneVersion(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	out, err := r.script("release.sh", "0.1.0")
	require.NoError(t, err, out)
	assert.Contains(t, out, "no earlier version")
	assert.Equal(t, "resque/otel/v0.1.0\nresque/prom/v0.1.0\nv0.1.0\n", r.git("tag"))
	head := r.git("rev-parse", "HEAD")
	for tag := range strings.FieldsSeq(r.git("tag")) {
		assert.Equal(t, head, r.git("rev-parse", tag+"^{commit}"), tag)
	}
	for _, name := range []string{"", "/resque/otel", "/resque/prom"} {
		assert.Contains(t, out, module+name+" v0.1.0\n", "as a module outside sees it")
	}
	assert.Empty(t, r.git("status", "--porcelain"))
	assert.Empty(t, r.git("ls-remote", "origin"), "nothing is pushed")
	r.git("push", "-q", "--atomic", "--follow-tags", "origin", "main") // as the script says
	assert.Equal(t, 3, strings.Count(r.git("ls-remote", "--tags", "--refs", "origin"), "v0.1.0"))

	out, err = r.script("release.sh", "0.1.0")
	require.Error(t, err)
	assert.Contains(t, out, "the tag v0.1.0 exists")
}

func TestReleaseRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, version, says string
		change              func(r repository)
	}{
		{"a dirty tree", "0.1.0", "not committed", func(r repository) { r.write("new.txt", "") }},
		{"no version", "", "not a version", nil},
		{"two numbers", "0.1", "not a version", nil},
		{"four numbers", "0.1.0.0", "not a version", nil},
		{"a leading v", "v0.1.0", "not a version", nil},
		{"a leading zero", "0.01.0", "not a version", nil},
		{"letters", "0.1.x", "not a version", nil},
		{"another module path", "2.0.0", module + "/v2", nil},
		{"a tag of one module", "0.1.0", "the tag resque/prom/v0.1.0 exists", func(r repository) { r.git("tag", "resque/prom/v0.1.0") }},
		{"another version of the command", "0.2.0", "set Version to 0.2.0", nil},
		{"no section", "0.1.0", "no section '## [0.1.0]", func(r repository) {
			r.write("CHANGELOG.md", "## [Unreleased]\n\n- Jobs.\n\n## [0-1.0] - 2026-12-01\n")
			r.commit()
		}},
		{"no date", "0.1.0", "no section '## [0.1.0]", func(r repository) {
			r.write("CHANGELOG.md", "## [0.1.0]\n\n- Jobs.\n")
			r.commit()
		}},
		{"an empty section", "0.1.0", "is empty", func(r repository) {
			r.write("CHANGELOG.md", "## [0.1.0] - 2026-12-01\n\n## [0.0.9] - 2026-11-01\n\n- Jobs.\n")
			r.commit()
		}},
		{"a module that does not build", "0.1.0", "does not build", func(r repository) {
			r.write("resque/otel/otel.go", "package otel\n\nimport \""+module+"/resque\"\n\nvar _ = resque.Missing\n")
			r.commit()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRepository(t)
			if test.change != nil {
				test.change(r)
			}
			head, tags, status := r.git("rev-parse", "HEAD"), r.git("tag"), r.git("status", "--porcelain")
			out, err := r.script("release.sh", test.version)
			require.Error(t, err)
			assert.Contains(t, out, test.says)
			assert.Equal(t, []string{head, tags, status}, []string{r.git("rev-parse", "HEAD"), r.git("tag"), r.git("status", "--porcelain")}, "as before")
		})
	}
}

func TestAPIDiffReportsWhatBreaksPrograms(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	out, err := r.script("apidiff.sh")
	require.NoError(t, err, out)
	assert.Equal(t, "apidiff: no earlier version has a tag, nothing is compared\n", out)
	r.needTools()
	r.git("tag", "v0.1.0")

	r.write("resque/more.go", "package resque\n\n// More is new.\nfunc More() {}\n")
	r.version("0.1.1")
	r.commit()
	out, err = r.script("apidiff.sh")
	require.NoError(t, err, out)
	assert.Equal(t, "apidiff: compatible with v0.1.0\n", out)

	r.write("resque/resque.go", "package resque\n")
	for _, name := range []string{"otel", "prom"} {
		r.write("resque/"+name+"/"+name+".go", "package "+name+"\n")
	}
	r.commit()
	out, err = r.script("release.sh", "0.1.1")
	require.Error(t, err)
	for _, want := range []string{module + " is incompatible with v0.1.0", "Hello: removed", module + "/resque/otel is incompatible", "Greeting: removed", "a patch version must not change the API"} {
		assert.Contains(t, out, want)
	}
	r.version("0.2.0")
	r.commit()
	out, err = r.script("release.sh", "0.2.0")
	require.NoError(t, err, out)
	assert.Contains(t, out, "Hello: removed", "a minor version may, and it is shown")
}

// Each module of the tree is published, or is only for the project.
func TestReleaseKnowsTheModules(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("release.sh")
	require.NoError(t, err)
	internal := []string{"bench", "tools", "tools/apidiff", "tools/man", "web/mounttest"}
	require.NoError(t, filepath.WalkDir("..", func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "testdata" || entry.Name() == "tmp"):
			return filepath.SkipDir
		case entry.Name() != "go.mod" || path == "../go.mod":
			return nil
		}
		dir := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), "../"))
		for _, name := range internal {
			if dir == name {
				return nil
			}
		}
		assert.Contains(t, string(script), dir, "scripts/release.sh tags it, or this test lists it as internal")
		return nil
	}))
}
