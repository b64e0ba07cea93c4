package web

import "time"

// budgets are the times that parts of a request may take.
type budgets struct {
	// action is how long an action waits for its operation before it shows the
	// operation's page.
	action time.Duration

	// scan is how long a page searches for what matches a filter.
	scan time.Duration

	// part is how long one part of a search should take: after a longer one, the parts are
	// smaller.
	part time.Duration

	// count is how long a full page continues to count matching failures, and number
	// how long it does if the user asked for the number.
	count, number time.Duration

	// probe is how long a load balancer or Prometheus waits at most.
	probe time.Duration

	// snapshot is the greatest age of a snapshot. Requests within that time share it.
	snapshot time.Duration

	// report is the greatest age of a report of doctor that the page shows. checks is how
	// long the checks may take.
	report, checks time.Duration
}

func standardBudgets() budgets {
	return budgets{
		action: 80 * time.Millisecond,
		scan:   250 * time.Millisecond,
		part:   50 * time.Millisecond,
		count:  10 * time.Millisecond, number: 5 * time.Second,
		probe:    2 * time.Second,
		snapshot: time.Second,
		report:   5 * time.Second, checks: 30 * time.Second,
	}
}
