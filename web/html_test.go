package web_test

import (
	"encoding/xml"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// node is an element of a page, or a text.
type node struct {
	name     string // of an element; "" is a text
	text     string
	attrs    []xml.Attr
	children []*node
}

// parse reads a page. It accepts fewer pages than a browser: an element that is not
// closed, or a "<" that is not escaped, can be an error.
func parse(t testing.TB, page string) *node {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict = false // attributes may have no value
	d.AutoClose = xml.HTMLAutoClose
	d.Entity = xml.HTMLEntity
	open := []*node{{}}
	add := func(n *node) {
		parent := open[len(open)-1]
		parent.children = append(parent.children, n)
	}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return open[0]
		}
		require.NoError(t, err, "%.1000s", page)
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: strings.ToLower(token.Name.Local), attrs: token.Copy().Attr}
			add(n)
			open = append(open, n)
		case xml.EndElement:
			require.Equal(t, open[len(open)-1].name, strings.ToLower(token.Name.Local))
			open = open[:len(open)-1]
		case xml.CharData:
			add(&node{text: string(token)})
		}
	}
}

// descendants returns the nodes below n, in the order of the page.
func (n *node) descendants() iter.Seq[*node] {
	return func(yield func(*node) bool) { n.visit(yield) }
}

// visit reports whether yield wants more.
func (n *node) visit(yield func(*node) bool) bool {
	for _, c := range n.children {
		if !yield(c) || !c.visit(yield) {
			return false
		}
	}
	return true
}

// words returns the text below n, with single spaces between its words.
func (n *node) words() string {
	var out strings.Builder
	for c := range n.descendants() {
		out.WriteString(c.text + " ")
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// elements returns the elements below n with the name, or all for "".
func elements(n *node, name string) []*node {
	var found []*node
	for c := range n.descendants() {
		if c.name != "" && (name == "" || c.name == name) {
			found = append(found, c)
		}
	}
	return found
}

// attr returns an element's attribute, or "" if it is missing.
func attr(n *node, name string) string {
	for _, a := range n.attrs {
		if strings.EqualFold(a.Name.Local, name) {
			return a.Value
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

// text returns the text of a page.
func text(t testing.TB, page string) string {
	t.Helper()
	return parse(t, page).words()
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
