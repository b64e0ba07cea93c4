// Package customers generates the customers that are exported: always the same ones,
// up to a million in seconds, with cells that a hand-written CSV writer gets wrong.
package customers

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Customer is a row of the export.
type Customer struct {
	ID    int64
	Name  string
	Email string
	City  string
	Note  string
	Since time.Time
}

// New returns the customer with an id. The same id always gives the same customer.
func New(id int64) Customer {
	rng := rand.New(rand.NewPCG(uint64(id), 2009)) //nolint:gosec // it only picks names
	first, last := pick(rng, firstNames()), pick(rng, lastNames())
	day := time.Date(2009, time.November, 3, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rng.IntN(5800))
	return Customer{
		ID:    id,
		Name:  first + " " + last,
		Email: fmt.Sprintf("customer%d@example.com", id),
		City:  pick(rng, cities()),
		Note:  pick(rng, notes()),
		Since: day,
	}
}

func pick(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }

// Header returns the first line of the CSV.
func Header() []string {
	return []string{"id", "name", "email", "city", "note", "customer since"}
}

// Line returns the customer as a line of CSV.
func (c Customer) Line() []string {
	return []string{
		strconv.FormatInt(c.ID, 10), guard(c.Name), guard(c.Email), guard(c.City), guard(c.Note),
		c.Since.UTC().Format(time.DateOnly),
	}
}

// guard prevents a spreadsheet from running a cell as a formula.
func guard(cell string) string {
	if strings.HasPrefix(cell, "=") || strings.HasPrefix(cell, "+") ||
		strings.HasPrefix(cell, "-") || strings.HasPrefix(cell, "@") {
		return "'" + cell
	}
	return cell
}

func firstNames() []string {
	return []string{
		"Ada", "Aisha", "Björn", "Chloé", "Dmitri", "Eleni", "Fatima", "Grace", "Håkon", "Ingrid", "Jürgen",
		"Katarína", "Łukasz", "María José", "Ngozi", "Olga", "Priya", "Quentin", "Renée", "Søren", "Tomáš",
		"Uğur", "Valentina", "William “Bill”", "Ximena", "Yuki", "Zoë", "Анна", "Γιώργος", "明",
	}
}

func lastNames() []string {
	return []string{
		"Almeida", "Brontë", "Castañeda", "d'Arc", "Eriksen", "Fernández, Jr.", "García Márquez", "Hopper",
		"Ivanov", "Jansen", "Kowalczyk", "Lovelace", "Müller", "Nguyễn", "O'Brien", "Pérez", "Quispe",
		"Ruiz-Ortega", "Śliwiński", "Thompson, PhD", "Ünal", "van der Berg", "Weiß", "Xu", "Yılmaz", "Żak", "李",
	}
}

func cities() []string {
	return []string{
		"Athína / Αθήνα", "Bogotá", "Cluj-Napoca", "Dún Laoghaire", "Esch-sur-Alzette", "Gdańsk", "Hồ Chí Minh",
		"İzmir", "Johannesburg", "København", "L'Aquila", "Łódź", "Malmö", "'s-Hertogenbosch", "São Paulo",
		"Tromsø", "Washington, D.C.", "Zürich", "Санкт-Петербург", "東京",
	}
}

// notes returns cells that a hand-written CSV writer gets wrong.
func notes() []string {
	return []string{
		"", "", "", "", "", "prefers e-mail", "VIP", "pays late, but pays", `says "call me Al"`,
		"first line\nsecond line", "semi;colon", "tab\there", "  spaces around  ", "naïve café ☕",
		"=SUM(A1:A9)", `=HYPERLINK("https://example.com","click, please")`, "+49 30 901820", "-10 % on everything",
		"@support asked twice", "1,000.50 EUR",
	}
}
