package browsertest

import (
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Narrow and Wide are the widths of a small phone and of a desk, in pixels.
const (
	Narrow = 320
	Wide   = 1280
)

// Show gives the page a width and a colour scheme, "light" or "dark".
func (b *Browser) Show(width int64, scheme string) {
	b.t.Helper()
	b.Do(chromedp.EmulateViewport(width, 900))
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		},
	})
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// Barriers returns what on the page keeps someone out who cannot see it, or not
// well, has a small screen, or no mouse; also what axe-core finds, where
// AUTHY_TEST_AXE names its script.
func (b *Browser) Barriers() []string {
	b.t.Helper()
	return append(b.OwnBarriers(), b.axe()...)
}

// NarrowBarriers is [Browser.Barriers] with those rules of axe-core alone whose
// finding a narrower page can change, which takes half as long.
func (b *Browser) NarrowBarriers() []string {
	b.t.Helper()
	return append(b.OwnBarriers(), b.axe("target-size", "scrollable-region-focusable")...)
}

// OwnBarriers is [Browser.Barriers] without what axe-core finds.
func (b *Browser) OwnBarriers() []string {
	b.t.Helper()
	b.awaitStyle()
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](barriers))
	if err != nil {
		b.t.Fatalf("look for barriers: %v", err)
	}
	return found
}

// awaitStyle waits until the page is loaded with what it looks like.
func (b *Browser) awaitStyle() {
	b.t.Helper()
	often := time.NewTicker(20 * time.Millisecond)
	defer often.Stop()
	for b.Number("Number(document.readyState === 'complete')") == 0 {
		<-often.C // the evaluation ends with the browser's patience
	}
}

// barriers looks at the page as it is, with all that can be unfolded. Contrast
// is that of WCAG 2.2, 1.4.3, for text of any size.
const barriers = `(() => {
  const bad = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const what = (e) => e.outerHTML.slice(0, 120);
  const seen = (e) => e.checkVisibility({ visibilityProperty: true });
  const name = (e) => (e.getAttribute("aria-label") ?? e.textContent).trim();
  for (const e of all("details:not([open]) :is(input, select, textarea):invalid"))
    if (e.form && !e.closest("details:not([open])").contains(e.form)) bad.push("a folded field keeps its form from being sent: " + what(e));
  for (const d of all("details")) d.open = true;

  if (!document.documentElement.lang) bad.push("the page has no language");
  if (!document.title) bad.push("the page has no title");
  if (all("h1").length !== 1) bad.push("there are " + all("h1").length + " main headings");
  let level = 0;
  for (const h of all("h1, h2, h3, h4, h5, h6")) {
    const next = Number(h.tagName[1]);
    if (next > level + 1) bad.push("a heading skips a level: " + what(h));
    level = next;
  }
  const ids = all("[id]").map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) bad.push("an id is used twice: " + id);
  for (const e of all("[aria-labelledby], [aria-describedby], [aria-controls]"))
    for (const a of ["aria-labelledby", "aria-describedby", "aria-controls"])
      for (const id of (e.getAttribute(a) ?? "").split(" "))
        if (id && !document.getElementById(id)) bad.push(a + " leads nowhere: " + what(e));
  for (const e of all("input:not([type=hidden]), select, textarea"))
    if (!e.labels.length && !e.getAttribute("aria-label")) bad.push("a field has no label: " + what(e));
  for (const e of all("button, a, summary")) if (!name(e)) bad.push("this has no name: " + what(e));
  const names = all("main button, main a.button").filter(seen).map(name);
  for (const n of names) if (names.indexOf(n) !== names.lastIndexOf(n)) bad.push("two buttons are named " + n);
  for (const e of all("img, svg"))
    if (!e.getAttribute("aria-hidden") && !e.getAttribute("aria-label") && !e.alt) bad.push("an image has no text: " + what(e));

  const rgba = (text) => { const c = text.match(/[\d.]+/g).map(Number); return [...c.slice(0, 3), c[3] ?? 1]; };
  const over = (top, below) => top.slice(0, 3).map((v, i) => v * top[3] + below[i] * (1 - top[3]));
  const ground = (e) => {
    if (!e) return [255, 255, 255];
    const c = rgba(getComputedStyle(e).backgroundColor);
    return c[3] === 1 ? c.slice(0, 3) : over(c, ground(e.parentElement));
  };
  const light = (c) => c.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (e, color) => {
    const below = ground(e), a = light(over(rgba(color), below)), b = light(below);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const read = (e, color) => {
    const c = contrast(e, color);
    if (c < 4.5) bad.push("contrast is " + c.toFixed(2) + ": " + what(e));
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (walk.currentNode.data.trim() && seen(e)) read(e, getComputedStyle(e).color);
  }
  for (const e of all("input")) if (seen(e)) read(e, getComputedStyle(e).color);
  for (const e of all("input[placeholder]")) if (seen(e)) read(e, getComputedStyle(e, "::placeholder").color);

  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) bad.push("the page is " + scrollWidth + " wide in a window of " + clientWidth);
  for (const e of all("nav a"))
    if (seen(e) && e.scrollWidth > e.clientWidth) bad.push("this runs into what is beside it: " + what(e));
  for (const e of all("main button, main a.button, main input:not([type=hidden])")) {
    const r = e.getBoundingClientRect();
    if (seen(e) && (r.right > clientWidth || r.left < 0)) bad.push("this is cut off: " + what(e));
    if (seen(e) && r.height < 18) bad.push("this is too small to hit: " + what(e));
  }
  return [...new Set(bad)];
})()`
