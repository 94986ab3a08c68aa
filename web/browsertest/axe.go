package browsertest

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axe returns what axe-core finds on the page by some of its rules, or by all if
// none is named, if AUTHY_TEST_AXE is the path of its script, and pages run scripts.
func (b *Browser) axe(rules ...string) []string {
	b.t.Helper()
	path := os.Getenv("AUTHY_TEST_AXE")
	if path == "" || b.scriptless {
		return nil
	}
	b.loadAxe(path)
	options := map[string]any{"resultTypes": []string{"violations"}, "preload": false}
	if rules != nil {
		options["runOnly"] = rules
	}
	asked, err := json.Marshal(options)
	if err != nil {
		b.t.Fatal(err)
	}
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](fmt.Sprintf(axeRun, asked), chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("run axe-core: %v", err)
	}
	return found
}

// loadAxe loads the script into the page, once.
func (b *Browser) loadAxe(path string) {
	b.t.Helper()
	if b.Number("Number(typeof axe === 'object')") == 1 {
		return
	}
	script, err := os.ReadFile(path) //nolint:gosec // named by who runs the tests
	if err != nil {
		b.t.Fatalf("read axe-core: %v", err)
	}
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](string(script)+"\n;true")); err != nil {
		b.t.Fatalf("load axe-core: %v", err)
	}
}

// axeRun tells of everything that is wrong, by the rule and the element.
const axeRun = `axe.run(document, %s).then((r) => r.violations.flatMap((v) =>
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
