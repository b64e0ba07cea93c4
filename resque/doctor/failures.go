package doctor

import (
	"context"
	"fmt"

	"github.com/goresque/goresque/resque"
)

// maxFailures is how many failures of the list "failed" are read, the newest first.
// manyFailures is from how many on they are a finding.
const (
	maxFailures  = 1_000
	manyFailures = 10_000
)

// failures checks the lists of failures.
func (c *checkup) failures(ctx context.Context) error {
	var total int64
	for _, list := range c.snap.Failures {
		total += list.Size
	}
	if total == 0 {
		return nil
	}
	if total >= manyFailures {
		c.add(Finding{
			Code: "F01", Severity: Notice, Title: "Many failures", Count: total,
			Cost: "They need memory, and new ones are hard to see.",
			Fix:  "goresque failed list shows what they are. Retry or remove what is done: goresque failed remove --all --until 30d",
		})
	}
	var damaged []string
	classes := map[string]int{}
	read := 0
	for f, err := range c.client.Failures().Newest(ctx, resque.FailureFilter{List: resque.FailedList}) {
		if err != nil {
			return c.unless(err, "F02", "F03")
		}
		if f.Damage != nil {
			damaged = append(damaged, f.Damage.Error())
		}
		classes[f.Class+" "+f.Exception]++
		if read++; read == maxFailures {
			break
		}
	}
	c.list(damaged, Finding{
		Code: "F02", Severity: Problem, Title: "Failures that Ruby's dashboard cannot show",
		Cost: "resque-web answers its page of failures with an error. goresque's dashboard shows them.",
		Fix:  "Look at them with goresque failed list, and remove them.",
	})
	for class, n := range classes {
		if read >= 20 && n*2 > read {
			c.add(Finding{
				Code: "F03", Severity: Notice, Title: "Most of the last failures are of one kind",
				Evidence: []string{fmt.Sprintf("%d of the last %d: %s", n, read, class)},
				Cost:     "One cause makes many jobs fail.", Fix: "goresque failed list",
			})
		}
	}
	return nil
}
