package customers

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"github.com/goresque/goresque/demo/database"
)

// Seed inserts customers until there are at least n. Several processes may seed the
// same database at once.
func Seed(ctx context.Context, db *database.DB, n int) error {
	// Insert in parts, so that other writers wait only briefly and memory stays small.
	const part = 50_000
	for have := int64(-1); have < int64(n); {
		err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := database.OneAtATime(tx); err != nil {
				return err
			}
			if err := tx.Model(&Customer{}).Select("COALESCE(MAX(id), 0)").Scan(&have).Error; err != nil || have >= int64(n) {
				return err
			}
			from := have
			have = min(have+part, int64(n))
			return insert(tx, from+1, have)
		})
		if err != nil {
			return fmt.Errorf("inserting customers: %w", err)
		}
	}
	return nil
}

// Count returns how many customers there are.
func Count(ctx context.Context, db *database.DB) (int, error) {
	var n int64
	if err := db.WithContext(ctx).Model(&Customer{}).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("counting customers: %w", err)
	}
	return int(n), nil
}

// First returns the first n customers in parts. There are about fifty parts, so that
// a visitor can watch the progress, but a part has at most 1,000 customers, so that
// memory stays small. First stops after an error.
func First(ctx context.Context, db *database.DB, n int) iter.Seq2[[]Customer, error] {
	return func(yield func([]Customer, error) bool) {
		for last, left := int64(0), n; left > 0; {
			limit := min(max(n/50, 1), 1000, left)
			var part []Customer
			err := db.WithContext(ctx).Where("id > ?", last).Order("id").Limit(limit).Find(&part).Error
			switch {
			case err != nil:
				err = fmt.Errorf("reading customers: %w", err)
			case len(part) < limit:
				err = errors.New("customers were deleted while the export read them")
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(part, nil) {
				return
			}
			last, left = part[len(part)-1].ID, left-len(part)
		}
	}
}

// insert inserts the customers from first to last. It does not use gorm, which takes
// several times as long.
//
//nolint:wrapcheck // Seed wraps it
func insert(tx *gorm.DB, first, last int64) error {
	const columns, rows = 6, 100
	conn, ctx := tx.Statement.ConnPool, tx.Statement.Context
	many, err := conn.PrepareContext(ctx, insertion(tx, columns, rows))
	if err != nil {
		return err
	}
	defer func() { _ = many.Close() }() // it ends with the transaction
	values := make([]any, 0, columns*rows)
	for id := first; id <= last; id++ {
		c := New(id)
		values = append(values, c.ID, c.Name, c.Email, c.City, c.Note, c.Since)
		if len(values) == columns*rows {
			if _, err := many.ExecContext(ctx, values...); err != nil {
				return err
			}
			values = values[:0]
		}
	}
	if len(values) == 0 {
		return nil
	}
	_, err = conn.ExecContext(ctx, insertion(tx, columns, len(values)/columns), values...)
	return err
}

// insertion returns the SQL that inserts a number of rows, with the placeholders of
// the database.
func insertion(tx *gorm.DB, columns, rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO customers (id, name, email, city, note, since) VALUES ")
	for i := range columns * rows {
		switch {
		case i%columns > 0:
			b.WriteString(", ")
		case i > 0:
			b.WriteString("), (")
		default:
			b.WriteString("(")
		}
		if tx.Name() == "postgres" {
			b.WriteString("$" + strconv.Itoa(i+1))
		} else {
			b.WriteString("?")
		}
	}
	b.WriteString(")")
	return b.String()
}
