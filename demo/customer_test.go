package demo

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCustomersAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for id := range int64(200) {
		assert.Equal(t, newCustomer(id), newCustomer(id))
	}
	assert.NotEqual(t, newCustomer(1).record()[1:], newCustomer(2).record()[1:])
}

// The demo's file must be one that a hand-made CSV writer gets wrong.
func TestCustomersAreHardToExport(t *testing.T) {
	t.Parallel()
	all := wantCSV(10_000)
	for _, want := range []string{`""call me Al""`, "\"first line\nsecond line\"", `"Washington, D.C."`, "東京", "Łódź", ",'=SUM(A1:A9),"} {
		assert.Contains(t, all, want)
	}
	assert.Equal(t, 10_001+strings.Count(all, "first line\n"), strings.Count(all, "\n"))
}

func TestGuard(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"": "", "plain": "plain", "a=b": "a=b",
		"=1+1": "'=1+1", "+49 30": "'+49 30", "-10 %": "'-10 %", "@ann": "'@ann",
	} {
		assert.Equal(t, want, guard(cell), "guard(%q)", cell)
	}
}
