// Package browsertest drives the pages in a real Chromium, as a person would:
// what a content policy blocks, what a cookie does, and whether script and
// style load, only a browser knows.
package browsertest

import (
	"context"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take on a loaded machine.
const patience = 4 * time.Minute

// Browser is a Chromium of its own, without cookies.
type Browser struct {
	t   testing.TB
	ctx context.Context //nolint:containedctx // chromedp keeps the browser in it
	// authenticator is the one that was plugged in, "" for none.
	authenticator webauthn.AuthenticatorID
	scriptless    bool
	mu            sync.Mutex
	// complaints are what the console said: errors, and blocked content.
	complaints []string
}

// New starts a Chromium, which ends with the test. Where none is installed the
// test is skipped, or fails if AUTHY_TEST_REQUIRE lists chromium.
func New(t testing.TB) *Browser {
	t.Helper()
	path := find()
	if path == "" {
		if slices.Contains(strings.Split(os.Getenv("AUTHY_TEST_REQUIRE"), ","), "chromium") {
			t.Fatal("Chromium is required, and not installed")
		}
		t.Skip("Chromium is not installed: install it to run this test")
	}
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(
		append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true))...))
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, patience)
	t.Cleanup(stop)
	b := &Browser{t: t, ctx: ctx}
	said := chromedp.Console(ctx)
	b.Do(chromedp.Navigate("about:blank"))
	go b.listen(said)
	return b
}

func find() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// listen keeps what the console says about a page that is wrong. The status of
// a page that was asked for is not among it: tests ask for refused pages.
func (b *Browser) listen(said iter.Seq2[chromedp.ConsoleMessage, error]) {
	for message, err := range said {
		if err != nil {
			return // the browser has ended
		}
		if message.Source == "network" || message.Type != chromedp.ConsoleError && !message.IsException() {
			continue
		}
		b.mu.Lock()
		b.complaints = append(b.complaints, message.Text)
		b.mu.Unlock()
	}
}

// Do performs actions one after another.
func (b *Browser) Do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("browser: %v; the page says: %s", err, b.text())
	}
}

func (b *Browser) text() string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		return err.Error()
	}
	return text
}

// Text returns what the page shows in the first element that selector finds.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	b.Do(chromedp.WaitVisible(chromedp.CSS(selector)))
	text, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		b.t.Fatalf("text of %s: %v", selector, err)
	}
	return text
}

// saysPatience is how long a text is waited for on a page that may be on its way.
const saysPatience = 5 * time.Second

// Says returns the text of the element that selector finds, and whether there is a
// text in it, which is waited for: what was clicked may lead to a page that looks
// like the one before.
func (b *Browser) Says(selector, text string) (said string, ok bool) {
	b.t.Helper()
	begun, pause := time.Now(), time.NewTicker(20*time.Millisecond)
	defer pause.Stop()
	for ; ; <-pause.C {
		now, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS(selector)))
		if err == nil {
			said = now
		}
		if ok = strings.Contains(said, text); ok || time.Since(begun) > saysPatience {
			return said, ok
		}
	}
}

// Fill types text into the field that selector finds.
func (b *Browser) Fill(selector, text string) {
	b.t.Helper()
	field := chromedp.CSS(selector)
	b.Do(chromedp.WaitVisible(field), chromedp.Clear(field), chromedp.SendKeys(field, text))
}

// Click clicks what selector finds and waits for the page that follows to show
// what next finds.
func (b *Browser) Click(selector, next string) {
	b.t.Helper()
	b.Do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)),
		chromedp.WaitVisible(chromedp.CSS(next)))
}

// Number returns what an expression of a script says about the page.
func (b *Browser) Number(expression string) int {
	b.t.Helper()
	n, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](expression))
	if err != nil {
		b.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return n
}

// Texts returns what an expression of a script says about the page, or promises to.
func (b *Browser) Texts(expression string) []string {
	b.t.Helper()
	texts, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return texts
}

// Picture returns what the window shows, as a PNG.
func (b *Browser) Picture() []byte {
	b.t.Helper()
	b.awaitStyle()
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatalf("take a picture: %v", err)
	}
	return picture
}

// Download clicks what selector finds and returns the file that it downloads.
func (b *Browser) Download(selector string) []byte {
	b.t.Helper()
	dir := b.t.TempDir()
	_, err := chromedp.Call(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir,
	})
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	b.Do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
	often := time.NewTicker(20 * time.Millisecond)
	defer often.Stop()
	for {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err == nil && len(files) == 1 && !strings.HasSuffix(files[0], ".crdownload") {
			body, err := os.ReadFile(files[0])
			if err != nil {
				b.t.Fatalf("read what was downloaded: %v", err)
			}
			return body
		}
		select {
		case <-b.ctx.Done():
			b.t.Fatalf("%s downloads nothing", selector)
		case <-often.C:
		}
	}
}

// Complaints returns what the console said about the pages so far.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.complaints)
}

// Has says whether the page shows something that selector finds.
func (b *Browser) Has(selector string) bool {
	b.t.Helper()
	has, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("document.querySelector('"+selector+"') !== null"))
	if err != nil {
		b.t.Fatalf("look for %s: %v", selector, err)
	}
	return has
}
