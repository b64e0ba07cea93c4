package web

import (
	"net/url"
	"strconv"
)

// pager is which part of a list a page shows. It keeps every other parameter of
// the address.
type pager struct {
	First, Last, Total int64 // shown are those from First on, before Last
	Page, Pages        int64
	Numbers            []int64 // pages to link to; 0 for a gap
	values             url.Values
}

// newPager reads "page", or Ruby's "start".
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

// To is the address of a page of the list.
func (p pager) To(page int64) string {
	values := url.Values{}
	for name, value := range p.values {
		values[name] = value
	}
	values.Set("page", strconv.FormatInt(page, 10))
	return "?" + values.Encode()
}
