package browsertest

import "github.com/chromedp/chromedp"

// Shift returns how far what the page shows has moved since it was opened: the
// sum of its layout shifts, 0 for a page that stands still.
func (b *Browser) Shift() float64 {
	b.t.Helper()
	sum, err := chromedp.Run(b.ctx, chromedp.Evaluate[float64](shift, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("measure layout shifts: %v", err)
	}
	return sum
}

// shift waits for the observer, which is told of what was before it.
const shift = `new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((e) => (sum += e.value)))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 300);
})`
