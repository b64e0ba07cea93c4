package demo

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"
)

// seed makes sure that there are at least n customers. Several processes may do
// so at once.
func (d *database) seed(ctx context.Context, n int) error {
	// In parts, so that others need not wait for long, nor memory grow.
	const part = 50_000
	for have := int64(-1); have < int64(n); {
		err := d.gorm.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := oneAtATime(tx); err != nil {
				return err
			}
			if err := tx.Model(&customer{}).Select("COALESCE(MAX(id), 0)").Scan(&have).Error; err != nil || have >= int64(n) {
				return err
			}
			from := have
			have = min(have+part, int64(n))
			return insertCustomers(tx, from+1, have)
		})
		if err != nil {
			return fmt.Errorf("making up customers: %w", err)
		}
	}
	return nil
}

// insertCustomers makes up those from first to last. It goes past gorm, which
// takes several times as long, and a million is a lot.
//
//nolint:wrapcheck // seed wraps it
func insertCustomers(tx *gorm.DB, first, last int64) error {
	const columns, rows = 6, 100
	conn, ctx := tx.Statement.ConnPool, tx.Statement.Context
	many, err := conn.PrepareContext(ctx, insertion(tx, columns, rows))
	if err != nil {
		return err
	}
	defer func() { _ = many.Close() }() // it ends with the transaction
	values := make([]any, 0, columns*rows)
	for id := first; id <= last; id++ {
		c := newCustomer(id)
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

// insertion is the SQL to insert so many customers, with the database's own
// place holders.
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
