package customers

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNewReturnsTheSameCustomerEachTime(t *testing.T) {
	t.Parallel()
	for id := range int64(200) {
		assert.Equal(t, New(id), New(id))
	}
	assert.NotEqual(t, New(1).Line()[1:], New(2).Line()[1:])
}

func TestCustomersHaveCellsThatAHandWrittenCSVGetsWrong(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for id := range int64(10_000) {
		for _, cell := range New(id).Line() {
			seen[cell] = true
		}
	}
	for _, want := range []string{`says "call me Al"`, "first line\nsecond line", "Washington, D.C.", "東京", "Łódź", "'=SUM(A1:A9)", "  spaces around  ", "semi;colon", "tab\there"} {
		assert.Contains(t, seen, want)
	}
}

func TestGuardQuotesFormulas(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"": "", "plain": "plain", "a=b": "a=b",
		"=1+1": "'=1+1", "+49 30": "'+49 30", "-10 %": "'-10 %", "@ann": "'@ann",
	} {
		assert.Equal(t, want, guard(cell), "guard(%q)", cell)
	}
}
