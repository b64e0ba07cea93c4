package top

import "strings"

// list is the content of a tab.
type list struct {
	columns []column
	rows    []row
	note    string // such as that there are more
	err     error

	loading bool
	loaded  uint64 // what was true when it was read: see signature
	known   bool
}

// column is a column of a table. Its width is a number of columns of the terminal, or a
// share of what the others leave.
type column struct {
	title string
	width int
	share int
	right bool
}

// row is a line of a table. Its texts are clean.
type row struct {
	key    string // distinguishes it from the others of the list
	cells  []string
	mood   mood
	target any // what keys act on: a queue, a worker, or the id of a job
	fields []field
}

// mood is how a line is shown.
type mood int

const (
	plain mood = iota
	quiet      // nothing to look at
	notable
	wrong
)

// field is a named text of the details of a row.
type field struct{ name, text string }

// matches reports whether a cell contains the filter, which is in lower case.
func (r row) matches(filter string) bool {
	for _, cell := range r.cells {
		if strings.Contains(strings.ToLower(cell), filter) {
			return true
		}
	}
	return filter == ""
}

// filtered returns the rows that match a filter.
func filtered(rows []row, filter string) []row {
	if filter == "" {
		return rows
	}
	filter = strings.ToLower(filter)
	var some []row
	for _, r := range rows {
		if r.matches(filter) {
			some = append(some, r)
		}
	}
	return some
}

// widths returns the width of each column in a table of so many columns of the terminal.
func widths(columns []column, total int) []int {
	left, shares := total-max(len(columns)-1, 0), 0
	for _, c := range columns {
		left -= c.width
		shares += c.share
	}
	all := make([]int, len(columns))
	for i, c := range columns {
		all[i] = c.width
		if c.share > 0 {
			all[i] = max(left*c.share/shares, 4)
		}
	}
	return all
}

func titles(columns []column) []string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = c.title
	}
	return all
}

// tableLine returns cells in columns of the given widths.
func tableLine(t texts, columns []column, widths []int, cells []string) string {
	parts := make([]string, len(cells))
	for i, cell := range cells {
		parts[i] = t.pad(cell, widths[i], columns[i].right)
	}
	return strings.TrimRight(strings.Join(parts, " "), " ")
}

// plainTable returns a table without a limit of its width, for files and pipes.
func plainTable(t texts, l list) string {
	all := make([]int, len(l.columns))
	for i, c := range l.columns {
		all[i] = width(c.title)
		for _, r := range l.rows {
			all[i] = max(all[i], width(r.cells[i]))
		}
	}
	var out strings.Builder
	out.WriteString(tableLine(t, l.columns, all, titles(l.columns)) + "\n")
	for _, r := range l.rows {
		out.WriteString(tableLine(t, l.columns, all, r.cells) + "\n")
	}
	return out.String()
}
