package web_test

import (
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// parse reads a page.
func parse(t testing.TB, page string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	return doc
}

// descendants returns the nodes below n, in the order of the page. Node.Descendants
// would need a newer golang.org/x/net.
func descendants(n *html.Node) iter.Seq[*html.Node] {
	return func(yield func(*html.Node) bool) { visit(n, yield) }
}

// visit reports whether yield wants more.
func visit(n *html.Node, yield func(*html.Node) bool) bool {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if !yield(c) || !visit(c, yield) {
			return false
		}
	}
	return true
}

// elements returns the elements of a page with the name, or all for "".
func elements(doc *html.Node, name string) []*html.Node {
	var found []*html.Node
	for n := range descendants(doc) {
		if n.Type == html.ElementNode && (name == "" || n.Data == name) {
			found = append(found, n)
		}
	}
	return found
}

// attr returns an element's attribute, or "" if it is missing.
func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// links returns the addresses that a page links to.
func links(t testing.TB, page string) []string {
	t.Helper()
	var hrefs []string
	for _, a := range elements(parse(t, page), "a") {
		hrefs = append(hrefs, attr(a, "href"))
	}
	return hrefs
}

// text returns the visible text of a page.
func text(t testing.TB, page string) string {
	t.Helper()
	var out strings.Builder
	for n := range descendants(parse(t, page)) {
		if n.Type == html.TextNode && n.Parent.Data != "script" {
			out.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// absent checks that a page does not contain a text, without printing the page.
func absent(t testing.TB, page, text, format string, args ...any) {
	t.Helper()
	if at := strings.Index(page, text); at >= 0 {
		t.Errorf(format+": %q is there: …%s…", append(args, text, page[max(0, at-80):min(len(page), at+80)])...)
	}
}

// present checks that a page contains a text, without printing the page.
func present(t testing.TB, page, text, format string, args ...any) {
	t.Helper()
	if !strings.Contains(page, text) {
		t.Errorf(format+": %q is not there", append(args, text)...)
	}
}
