package limit

import (
	"context"
	"fmt"
	"time"

	"authy/storage/kv"
)

// Report is what was counted for one request, for its answer to tell. It is
// not for several goroutines.
type Report struct {
	rule Rule // of the budget that has least left
	left kv.Budget
}

type reportKey struct{}

// Watch returns a context in which what is counted is noted in the report.
func Watch(ctx context.Context) (context.Context, *Report) {
	r := new(Report)
	return context.WithValue(ctx, reportKey{}, r), r
}

// note keeps the budget that is nearest to its end.
func note(ctx context.Context, rule Rule, left kv.Budget) {
	r, _ := ctx.Value(reportKey{}).(*Report)
	if r == nil || r.rule.Name != "" && (!r.left.OK || left.OK && left.Left >= r.left.Left) {
		return
	}
	r.rule, r.left = rule, left
}

// Fields are the values of the header fields RateLimit-Policy and RateLimit,
// "" if nothing was counted (draft-ietf-httpapi-ratelimit-headers-10): the
// quota q and its window w in seconds, what is left, and in how many seconds
// there is one more.
func (r *Report) Fields() (policy, state string) {
	if r == nil || r.rule.Name == "" {
		return "", ""
	}
	policy = fmt.Sprintf("%q;q=%d;w=%d", r.rule.Name, r.rule.Most, int(r.rule.Window.Seconds()))
	wait := r.left.Wait
	if wait == 0 {
		wait = min(r.left.Full, r.rule.rate().Every)
	}
	return policy, fmt.Sprintf("%q;r=%d;t=%d", r.rule.Name, r.left.Left, int((wait+time.Second-1)/time.Second))
}
