package web_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// uiTexts returns the English texts of the code and the templates.
func uiTexts(t *testing.T) map[string]bool {
	t.Helper()
	texts := map[string]bool{}
	templates, err := filepath.Glob("templates/*.html")
	require.NoError(t, err)
	call := regexp.MustCompile(`\btn? ("(?:[^"\\]|\\.)*")`)
	for _, name := range templates {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, found := range call.FindAllStringSubmatch(string(data), -1) {
			text, err := strconv.Unquote(found[1])
			require.NoError(t, err, found[1])
			texts[text] = true
		}
	}
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok || len(c.Args) == 0 || !translates(c.Fun) {
				return true
			}
			if text, ok := constant(c.Args[0]); ok {
				texts[text] = true
			}
			return true
		})
	}
	return texts
}

// findingTexts adds the texts of package doctor: titles, costs and fixes of its findings, and
// what its fixes have done.
func findingTexts(t *testing.T, texts map[string]bool) {
	t.Helper()
	sources, err := filepath.Glob("../resque/doctor/*.go")
	require.NoError(t, err)
	add := func(e ast.Expr) {
		text, ok := constant(e)
		require.True(t, ok, "the dashboard cannot translate a text of doctor that is not a constant")
		texts[text] = true
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch v := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := v.Key.(*ast.Ident); ok && slices.Contains([]string{"Title", "Cost", "Fix"}, key.Name) {
					add(v.Value)
				}
			case *ast.CallExpr: // f.add("K02", "queues added", …)
				if f, ok := v.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "add" && len(v.Args) > 2 {
					if _, named := v.Args[1].(*ast.Ident); !named {
						add(v.Args[1])
					}
				}
			case *ast.CompositeLit: // {"T01", "counters moved"}
				if len(v.Elts) != 2 || !strings.HasSuffix(name, "fix.go") {
					return true
				}
				if code, ok := constant(v.Elts[0]); ok && len(code) == 3 {
					add(v.Elts[1])
				}
			}
			return true
		})
	}
}

// translates reports whether a function is t or tn of a language, or english.
func translates(fun ast.Expr) bool {
	switch f := fun.(type) {
	case *ast.Ident:
		return f.Name == "english"
	case *ast.SelectorExpr:
		return f.Sel.Name == "t" || f.Sel.Name == "tn"
	}
	return false
}

// constant returns the value of a string literal, or of several with + between them.
func constant(e ast.Expr) (string, bool) {
	switch v := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(v.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, ok := constant(v.X)
		right, also := constant(v.Y)
		return left + right, ok && also
	}
	return "", false
}

func TestEachLanguageHasAllTexts(t *testing.T) {
	t.Parallel()
	texts := uiTexts(t)
	findingTexts(t, texts)
	require.Greater(t, len(texts), 800)
	files, err := filepath.Glob("languages/*.json")
	require.NoError(t, err)
	require.Len(t, files, 5)
	verb := regexp.MustCompile(`%(?:\[\d\])?[a-z]`)
	verbs := func(text string) []string {
		found := verb.FindAllString(text, -1)
		for i, v := range found {
			found[i] = v[len(v)-1:]
		}
		slices.Sort(found)
		return found
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			var translated map[string]string
			require.NoError(t, json.Unmarshal(data, &translated))
			for text := range texts {
				assert.NotEmpty(t, translated[text], "%s has no translation of %q", name, text)
			}
			for text, translation := range translated {
				assert.True(t, texts[text], "%s translates %q, which is not a text any more", name, text)
				if strings.Contains(text, "|") {
					continue // tn puts in the number itself
				}
				assert.Equal(t, verbs(text), verbs(translation), "%s: %q", name, text)
			}
		})
	}
}

func TestLanguageIsChosen(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	page := func(accept, cookie string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/overview", nil)
		r.Header.Set("Accept-Language", accept)
		if cookie != "" {
			r.AddCookie(&http.Cookie{Name: "resque_language", Value: cookie})
		}
		rec := httptest.NewRecorder()
		s.dashboard.ServeHTTP(rec, r)
		require.Equal(t, http.StatusOK, rec.Code)
		return regexp.MustCompile(`<html lang="([^"]*)"`).FindStringSubmatch(rec.Body.String())[1]
	}
	assert.Equal(t, "en", page("", ""))
	assert.Equal(t, "de", page("de-AT,en;q=0.5", ""))
	assert.Equal(t, "pt-BR", page("pt", ""))
	assert.Equal(t, "fr", page("sv,fr;q=0.8", ""))
	assert.Equal(t, "en", page("tlh", ""), "a language that is not known")
	assert.Equal(t, "en", page("xx,de", ""), "a header that cannot be read")
	assert.Equal(t, "ja", page("de", "ja"), "the user's choice is more important")
	assert.Equal(t, "de", page("de", "nonsense"))
}

// Numbers have the marks of the language, and rates its words.
func TestNumbersAreWrittenAsInTheLanguage(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SET", "resque:stat:processed", 1_283_402)
	s.do("SADD", "resque:queues", "a", "b", "c")
	s.do("HSET", "resque:goresque:limits", "a", `{"concurrency":3,"rate":1200,"per":60000,"burst":10}`, "b", `{"rate":20,"per":1000}`, "c", `{"rate":5,"per":30000}`)
	s.do("RPUSH", "resque:queue:a", `{"class":"A","args":["`+strings.Repeat("x", 1500)+`"]}`)
	_, err := s.conn.Do("MEMORY", "USAGE", "resque:queue:a")
	memory := err == nil // the embedded server does not tell
	for tag, want := range map[string][]string{
		"en":    {"1,283,402", "3 at once, 1,200 per minute, up to 10 in a row", "20 per second", "5 in 30 s"},
		"de":    {"1.283.402", "3 gleichzeitig, 1.200 pro Minute, bis zu 10 hintereinander", "20 pro Sekunde", "5 in 30 s"},
		"es":    {"1.283.402", "3 a la vez, 1.200 por minuto, hasta 10 seguidos", "20 por segundo", "5 en 30 s"},
		"fr":    {"1\u202f283\u202f402", "3 à la fois, 1\u202f200 par minute, jusqu’à 10 d’affilée", "20 par seconde", "5 en 30 s"},
		"ja":    {"1,283,402", "同時に3件, 毎分1,200件, 続けて最大10件", "毎秒20件", "30 sに5件"},
		"pt-BR": {"1.283.402", "3 ao mesmo tempo, 1.200 por minuto, até 10 em sequência", "20 por segundo", "5 em 30 s"},
	} {
		var pages strings.Builder
		for _, path := range []string{"/stats/resque", "/limits", "/stats/keys/queue:a"} {
			pages.Write(s.get(path, "Accept-Language: "+tag).Body.Bytes())
		}
		for _, text := range want {
			present(t, pages.String(), text, tag)
		}
		decimal := ","
		if tag == "en" || tag == "ja" {
			decimal = "."
		}
		if memory { // how much differs between versions of Redis
			assert.Regexp(t, `\b[12]`+regexp.QuoteMeta(decimal)+`\d kB\b`, pages.String(), tag)
		}
	}
}

// Findings of doctor are in the user's language. Their codes and evidence are not translated.
func TestFindingsAreTranslated(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("RPUSH", "resque:queue:lost", `{"class":"A","args":[]}`) // K02, can be fixed
	for tag, want := range map[string]string{
		"en": "Queues that are not in the set of queues", "de": "Queues, die nicht im Verzeichnis der Queues stehen",
		"es": "Colas que no están en la lista de colas", "fr": "Files qui ne sont pas dans la liste des files",
		"ja": "キューの一覧にないキュー", "pt-BR": "Filas que não estão na lista de filas",
	} {
		page := s.get("/doctor", "Accept-Language: "+tag).Body.String()
		present(t, page, want, tag)
		present(t, page, "<code>K02</code>", tag)
		present(t, page, "goresque doctor --fix", tag)
		present(t, s.post("/doctor/fix", "", "Accept-Language: "+tag).Body.String(), "K02 "+want, tag)
	}
	told := s.get("/doctor", "Accept: application/json", "Accept-Language: de").told(t)
	assert.Contains(t, fmt.Sprint(told), "Queues that are not in the set of queues", "programs get English")
	require.Equal(t, http.StatusSeeOther, s.post("/doctor/fix", "sure=1", "Accept-Language: de").Code)
}
