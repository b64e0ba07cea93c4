package worker_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// declared has the names that the repository's code declares, each with the files
// that declare it: functions, types and fields as "Name", "pkg.Name", "Type.Name"
// and "pkg.Type.Name", and also the names of files and packages.
type declared map[string][]string

func (d declared) add(file string, names ...string) {
	for _, name := range names {
		d[name] = append(d[name], file)
	}
}

// member adds a method or a field.
func (d declared) member(file, pkg, of, name string) {
	d.add(file, of+"."+name, pkg+"."+of+"."+name)
}

func (d declared) file(t *testing.T, path string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", path), nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	pkg := file.Name.Name
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil {
				d.add(path, decl.Name.Name, pkg+"."+decl.Name.Name)
			} else {
				d.member(path, pkg, receiver(decl.Recv.List[0].Type), decl.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok {
					d.add(path, spec.Name.Name, pkg+"."+spec.Name.Name)
					d.fields(path, pkg, spec)
				}
			}
		}
	}
}

func (d declared) fields(path, pkg string, spec *ast.TypeSpec) {
	fields, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range fields.Fields.List {
		for _, name := range field.Names {
			d.member(path, pkg, spec.Name.Name, name.Name)
		}
	}
}

func receiver(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.StarExpr:
		return receiver(expr.X)
	case *ast.IndexExpr:
		return receiver(expr.X)
	case *ast.IndexListExpr:
		return receiver(expr.X)
	case *ast.Ident:
		return expr.Name
	default:
		return ""
	}
}

// declarations reads all code except tests.
func declarations(t *testing.T) declared {
	t.Helper()
	d := declared{}
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path = strings.TrimPrefix(filepath.ToSlash(path), "../")
		switch base := entry.Name(); {
		case entry.IsDir() && (base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") && base != ".."):
			return filepath.SkipDir
		case entry.IsDir() || strings.HasSuffix(base, ".lua"):
			d.add(path, path, base)
		case strings.HasSuffix(base, ".go") && !strings.HasSuffix(base, "_test.go"):
			d.add(path, path, base)
			d.file(t, path)
		}
		return nil
	}))
	return d
}

var (
	quoted   = regexp.MustCompile("`([^`]+)`")
	codeName = regexp.MustCompile(`^[A-Za-z_][\w./-]*$`)
)

func architecture(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/architecture.md")
	require.NoError(t, err)
	return string(page)
}

func TestArchitectureNamesExist(t *testing.T) {
	t.Parallel()
	d := declarations(t)
	found := 0
	for _, match := range quoted.FindAllStringSubmatch(architecture(t), -1) {
		if name := match[1]; codeName.MatchString(name) && name != "run_at" { // a member of a record
			found++
			assert.NotEmpty(t, d[name], "docs/architecture.md names %s, which does not exist", name)
		}
	}
	assert.Greater(t, found, 80, "the names are still found")
}

// The walk from a job's pop to its recorded result is short, and each function is in
// the file that the page names.
func TestArchitectureWalksAJobsLife(t *testing.T) {
	t.Parallel()
	d := declarations(t)
	_, table, ok := strings.Cut(architecture(t), "| file | functions |\n|---|---|\n")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n\n")
	files, functions := map[string]bool{}, map[string]bool{}
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		require.Len(t, cells, 4, row)
		file := quoted.FindStringSubmatch(cells[1])[1]
		assert.NotEmpty(t, d[file], "%s does not exist", file)
		files[file] = true
		if strings.HasSuffix(file, ".lua") {
			functions[file] = true
		}
		for _, match := range quoted.FindAllStringSubmatch(cells[2], -1) {
			assert.Contains(t, d[match[1]], file, "%s is not in %s", match[1], file)
			functions[match[1]] = true
		}
	}
	assert.Len(t, files, 6)
	assert.LessOrEqual(t, len(functions), 20)
	assert.Greater(t, len(functions), 15, "the functions are still found")
}
