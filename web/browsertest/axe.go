package browsertest

import (
	"os"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axe returns what axe-core finds on the page, if AUTHY_TEST_AXE is the path of
// its script, and pages run scripts.
func (b *Browser) axe() []string {
	b.t.Helper()
	path := os.Getenv("AUTHY_TEST_AXE")
	if path == "" || b.scriptless {
		return nil
	}
	script, err := os.ReadFile(path) //nolint:gosec // named by who runs the tests
	if err != nil {
		b.t.Fatalf("read axe-core: %v", err)
	}
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](string(script)+"\n;true")); err != nil {
		b.t.Fatalf("load axe-core: %v", err)
	}
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](axeRun, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("run axe-core: %v", err)
	}
	return found
}

// axeRun tells of everything that is wrong, by the rule and the element.
const axeRun = `axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations.flatMap((v) =>
  v.nodes.map((n) => "axe " + v.id + ", " + v.help + ": " + n.html.slice(0, 160))))`

// WithoutScript has pages run no script from now on.
func (b *Browser) WithoutScript() {
	b.t.Helper()
	b.scriptless = true
	params := emulation.SetScriptExecutionDisabledParams{Value: true}
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, params); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}
