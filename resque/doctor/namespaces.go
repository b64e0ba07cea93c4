package doctor

import (
	"context"
	"fmt"
	"strings"
)

// namespaces looks for other namespaces in the same database, of which sets are the sets of
// queues.
func (c *checkup) namespaces(ctx context.Context, sets []string) error {
	others, err := c.store.OtherNamespaces(ctx, sets)
	if err := c.unless(err, "K01"); err != nil || len(others) == 0 {
		return err
	}
	var shown []string
	for _, n := range others {
		if below, ok := strings.CutPrefix(n.Name, c.client.Redis().Key("")); ok {
			c.census.nested = append(c.census.nested, below+":")
		}
		text := fmt.Sprintf("%s has %d queues and %d workers", n.Name, n.Queues, n.Workers)
		if n.Same > 0 {
			text += fmt.Sprintf("; %d queues have the same names as here", n.Same)
		}
		shown = append(shown, text)
	}
	c.add(Finding{
		Code: "K01", Severity: Notice, Title: "Other namespaces in the same database", Count: int64(len(others)), Evidence: shown,
		Cost: "Jobs that are enqueued in one namespace are not seen in another. If programs should share jobs, one of them has the wrong namespace.",
		Fix:  "Nothing, if they are separate applications. Otherwise give all programs the same namespace: Resque.redis.namespace in Ruby, and the end of the address or --namespace in Go.",
	})
	return nil
}
