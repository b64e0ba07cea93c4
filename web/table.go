package web

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// order is by which column a table is sorted. Its links keep the other parameters of the
// address.
type order struct {
	By      string // a name of columns
	Reverse bool

	columns []string
	values  url.Values
}

// newOrder reads the parameters "sort" and "dir". The first of columns is the default. A
// name with a minus sorts the largest value first, unless dir is "asc".
func newOrder(q *request, columns ...string) order {
	o := order{columns: columns, values: q.URL.Query()}
	by := q.FormValue("sort")
	if o.find(by) < 0 {
		by = strings.TrimPrefix(columns[0], "-")
	}
	o.By, o.Reverse = by, o.isLargestFirst(by)
	switch q.FormValue("dir") {
	case "asc":
		o.Reverse = false
	case "desc":
		o.Reverse = true
	}
	return o
}

func (o order) find(name string) int {
	return slices.IndexFunc(o.columns, func(c string) bool { return strings.TrimPrefix(c, "-") == name })
}

func (o order) isLargestFirst(name string) bool { return slices.Contains(o.columns, "-"+name) }

// Has reports whether the table can be sorted by a column.
func (o order) Has(name string) bool { return o.find(name) >= 0 }

// IsListed reports whether the table has the order of the list in Redis.
func (o order) IsListed() bool { return o.By == unsorted }

// To returns the address of the table sorted by a column. For the column by which it is
// sorted, that is the reverse order.
func (o order) To(name string) string {
	values := maps.Clone(o.values)
	for _, gone := range []string{"page", "start", "sort", "dir"} {
		values.Del(gone)
	}
	values.Set("sort", name)
	reverse := o.isLargestFirst(name)
	if name == o.By {
		reverse = !o.Reverse
	}
	if reverse != o.isLargestFirst(name) {
		values.Set("dir", direction(reverse))
	}
	return "?" + values.Encode()
}

func direction(reverse bool) string {
	if reverse {
		return "desc"
	}
	return "asc"
}

// Aria returns the order for a screen reader, empty if the table is not sorted by the
// column.
func (o order) Aria(name string) string {
	switch {
	case name != o.By:
		return ""
	case o.Reverse:
		return "descending"
	}
	return "ascending"
}

// Query returns the order as the query of another page's address, empty for the default.
func (o order) Query() string {
	values := url.Values{}
	for _, f := range o.Fields() {
		values.Set(f.Name, f.Value)
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// Fields returns the parameters of the order, as fields of a form that keeps it.
func (o order) Fields() []field {
	if o.values.Get("sort") == "" {
		return nil
	}
	return []field{{"sort", o.By}, {"dir", direction(o.Reverse)}}
}

// sortRows sorts rows by the column of o with the functions that compare two rows by each
// column.
func sortRows[R any](rows []R, o order, by map[string]func(a, b R) int) {
	compare, ok := by[o.By]
	if !ok {
		return
	}
	slices.SortStableFunc(rows, func(a, b R) int {
		if o.Reverse {
			return compare(b, a)
		}
		return compare(a, b)
	})
}

const (
	// unsorted is the order in which Redis keeps a list.
	unsorted = "listed"

	// sortedAtMost is how many entries of such a list are read to sort them by a column.
	sortedAtMost = 1000
)

// listing is a page of a list that Redis keeps in one order.
type listing[R any] struct {
	rows   []R
	total  int64 // entries of the list
	sorted int64 // the number of sorted entries, if it is less than total, otherwise 0
	gone   int64 // entries of the page, or of the sorted ones, that have expired
	pager  pager
}

// listPage returns a page of a list. read returns a part of the list and its length. If
// the user sorts by a column, the page is one of the first sortedAtMost entries, sorted.
func listPage[E, R any](q *request, o order, size int64, read func(first, limit int64) ([]E, int64, error), row func(E) R, by map[string]func(a, b R) int) (l listing[R], err error) {
	first, limit := (q.number("page", q.number("start", 0, 0, 1<<30)/size+1, 1, 1<<30)-1)*size, size
	if o.By != unsorted {
		first, limit = 0, sortedAtMost
	}
	found, total, err := read(first, limit)
	if err != nil {
		return l, err
	}
	l.total = total
	if o.By != unsorted && total > limit {
		l.sorted, total = limit, limit
	}
	l.pager = newPager(q, total, size)
	if o.By == unsorted && l.pager.First != first && total > 0 { // first is beyond the end
		if found, _, err = read(l.pager.First, limit); err != nil {
			return l, err
		}
	}
	for _, e := range found {
		l.rows = append(l.rows, row(e))
	}
	if o.By == unsorted {
		l.gone = max(l.pager.Last-l.pager.First-int64(len(found)), 0)
		return l, nil
	}
	l.gone = max(total-int64(len(found)), 0)
	l.pager = newPager(q, int64(len(l.rows)), size)
	sortRows(l.rows, o, by)
	l.rows = l.rows[l.pager.First:l.pager.Last]
	return l, nil
}

// pager is the part of a list that a page shows. Its links keep the other parameters
// of the address.
type pager struct {
	First, Last, Total int64 // the page shows the entries from First to Last, without Last
	Page, Pages        int64
	Numbers            []int64 // page numbers to link to; 0 is a gap
	values             url.Values
}

// newPager reads the parameter "page", or Ruby's "start".
func newPager(q *request, total, size int64) pager {
	pages := max((total+size-1)/size, 1)
	page := q.number("page", q.number("start", 0, 0, total)/size+1, 1, pages)
	p := pager{First: (page - 1) * size, Total: total, Page: page, Pages: pages, values: q.URL.Query()}
	p.Last = min(p.First+size, total)
	p.values.Del("start")
	for n := int64(1); n <= pages; n++ {
		switch {
		case n == 1, n == pages, n >= page-2 && n <= page+2:
			p.Numbers = append(p.Numbers, n)
		case n < page-2:
			p.Numbers = append(p.Numbers, 0)
			n = page - 3
		default:
			p.Numbers = append(p.Numbers, 0)
			n = pages - 1
		}
	}
	return p
}

// To returns the address of a page of the list.
func (p pager) To(page int64) string {
	values := url.Values{}
	for name, value := range p.values {
		values[name] = value
	}
	values.Set("page", strconv.FormatInt(page, 10))
	return "?" + values.Encode()
}

// IsLong reports whether Numbers leaves pages out, so that a form is needed to go to them.
func (p pager) IsLong() bool { return slices.Contains(p.Numbers, 0) }

// Fields returns the other parameters of the address, as fields of the form that goes to
// a page.
func (p pager) Fields() []field { return fieldsOf(p.values, "page") }

// fieldsOf returns the values as fields of a form, sorted by name, without those with the
// given names.
func fieldsOf(values url.Values, without ...string) (fields []field) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			if !slices.Contains(without, name) {
				fields = append(fields, field{name, value})
			}
		}
	}
	return fields
}
