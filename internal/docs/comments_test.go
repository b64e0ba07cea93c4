package docs_test

import (
	"go/ast"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
)

// docLink matches a link to a name in a comment, such as [Client.Enqueue] or
// [resque.Job.In].
var docLink = regexp.MustCompile(`(?m)(?:^|[\s(])\[\*?(?:([a-z]\w*)\.)?([A-Z]\w*(?:\.[A-Z]\w*)?)\]`)

// Links in comments name what exists. go doc shows any other link as text, so a name that
// was changed would stay.
func TestLinksInCommentsNameWhatExists(t *testing.T) {
	t.Parallel()
	type link struct{ file, in, name string }
	var links []link
	known := map[string]map[string]bool{} // by the name of the package, as Type, Type.Method and Type.Field
	sources(t, func(file string, tree *ast.File, _ string) {
		name := tree.Name.Name
		if known[name] == nil {
			known[name] = map[string]bool{}
		}
		declared(tree, known[name])
		for _, group := range tree.Comments {
			for _, m := range docLink.FindAllStringSubmatch(group.Text(), -1) {
				in := name
				if m[1] != "" {
					in = m[1]
				}
				links = append(links, link{file, in, m[2]})
			}
		}
	})
	assert.Greater(t, len(links), 100)
	for _, l := range links {
		if all := known[l.in]; all != nil { // otherwise it is a package of another module
			assert.True(t, all[l.name], "%s: [%s.%s]", l.file, l.in, l.name)
		}
	}
}

// declared adds the names that a file declares.
func declared(file *ast.File, names map[string]bool) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			names[name] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						names[name.Name] = true
					}
				case *ast.TypeSpec:
					names[spec.Name.Name] = true
					for _, name := range members(spec.Type) {
						names[spec.Name.Name+"."+name] = true
					}
				}
			}
		}
	}
}

// receiver returns the name of the type of a receiver.
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
	}
	return ""
}

// members returns the fields of a struct, or the methods of an interface.
func members(expr ast.Expr) (names []string) {
	var list *ast.FieldList
	switch expr := expr.(type) {
	case *ast.StructType:
		list = expr.Fields
	case *ast.InterfaceType:
		list = expr.Methods
	default:
		return nil
	}
	for _, field := range list.List {
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
	}
	return names
}
