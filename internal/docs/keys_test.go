package docs_test

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documentedKeys returns the names of the table Keys of docs/wire.md.
func documentedKeys(t *testing.T) []string {
	t.Helper()
	_, part, ok := strings.Cut(read(t, "docs/wire.md"), "\n## Keys\n")
	require.True(t, ok)
	part, _, _ = strings.Cut(part, "\n## ")
	var names []string
	for line := range strings.Lines(part) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, name := range span.FindAllStringSubmatch(cells(line)[0], -1) {
			names = append(names, name[1])
		}
	}
	require.Greater(t, len(names), 50)
	return names
}

// fixed matches a part of a key's name that is not a placeholder.
var fixed = regexp.MustCompile(`[a-z][a-z_]*[a-z]`)

// Each key that internal/store builds is in the table of docs/wire.md, and no other. A key
// is compared by the words that it always has, such as delayed and last_enqueued_at.
func TestWireHasEveryKey(t *testing.T) {
	t.Parallel()
	documented := documentedKeys(t)
	known := map[string]bool{}  // words of all string literals in internal/store
	methods := map[string]int{} // methods of keys, and how many words each has
	sources(t, func(file string, tree *ast.File, _ string) {
		if !strings.HasPrefix(file, "internal/store/") {
			return
		}
		for _, declaration := range tree.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			builds := ok && function.Recv != nil && isKeys(function.Recv.List[0].Type)
			ast.Inspect(declaration, func(node ast.Node) bool {
				expression, ok := node.(ast.Expr)
				if !ok {
					return true
				}
				value, ok := literal(expression)
				if !ok {
					return true
				}
				for _, word := range fixed.FindAllString(value, -1) {
					known[word] = true
				}
				name := strings.Trim(value, ":")
				if builds && fixed.MatchString(name) {
					methods[function.Name.Name]++
					has := func(key string) bool {
						return strings.Contains(":"+key+":", ":"+name) || strings.Contains(key, "]"+name) || strings.Contains(key, name+"-")
					}
					assert.True(t, slices.ContainsFunc(documented, has), "%s: docs/wire.md has no key with %q, of the method %s", file, name, function.Name.Name)
				}
				return true
			})
		}
	})
	assert.Greater(t, len(methods), 35, "the methods that build keys are still found")
	for _, key := range documented {
		for _, word := range fixed.FindAllString(key, -1) {
			assert.True(t, known[word], "docs/wire.md has the key %s, but internal/store has no %q", key, word)
		}
	}
}

// isKeys reports whether a receiver has the type keys.
func isKeys(receiver ast.Expr) bool {
	name, ok := receiver.(*ast.Ident)
	return ok && name.Name == "keys"
}
