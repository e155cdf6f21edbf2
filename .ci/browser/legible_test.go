package browser

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// contrast fails the test where a text is hard to tell from its background, that is where the contrast ratio of WCAG 2
// is below 4.5. It measures every text node that is shown. The background of a text is the nearest background of its
// ancestors, with half-transparent ones blended, and in a chart the last filled rectangle that was drawn before the
// text and contains its middle.
func contrast(t *testing.T, ctx context.Context, where string) {
	t.Helper()
	var found struct {
		Texts int
		Weak  []string
	}
	require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`(() => {
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const parse = (s) => { // any CSS colour as red, green, blue and opacity
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = s;
		canvas.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
		return [r, g, b, a / 255];
	};
	const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3])).concat(1);
	const luminance = ([r, g, b]) => {
		const f = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
		return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
	};
	const opacity = (e) => { let o = 1; for (; e; e = e.parentElement) o *= getComputedStyle(e).opacity; return o };
	const behind = (e, box) => {
		const layers = [], x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
		const svg = e.closest("svg");
		if (svg) {
			for (const r of svg.querySelectorAll("rect")) {
				const b = r.getBoundingClientRect(), style = getComputedStyle(r);
				const before = e.compareDocumentPosition(r) & Node.DOCUMENT_POSITION_PRECEDING;
				if (before && style.fill !== "none" && b.left <= x && x <= b.right && b.top <= y && y <= b.bottom) {
					const c = parse(style.fill);
					c[3] *= style.fillOpacity * opacity(r);
					layers.unshift(c);
				}
			}
		}
		for (let p = e; p; p = p.parentElement) layers.push(parse(getComputedStyle(p).backgroundColor));
		let c = [255, 255, 255, 1];
		for (const layer of layers.reverse()) c = over(layer, c);
		return c;
	};
	let texts = 0;
	const weak = new Set();
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n = walk.nextNode(); n; n = walk.nextNode()) {
		const e = n.parentElement;
		if (!n.data.trim() || e.closest("script, style, title, desc, noscript, option")) continue;
		const range = document.createRange();
		range.selectNodeContents(n);
		const box = range.getBoundingClientRect(), style = getComputedStyle(e);
		if (!box.width || !box.height || style.visibility === "hidden") continue;
		texts++;
		const back = behind(e, box);
		const front = parse(e.closest("svg") ? style.fill : style.color);
		front[3] *= opacity(e);
		const a = luminance(over(front, back)), b = luminance(back);
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) weak.add(e.tagName + "." + e.getAttribute("class") + " " + n.data.trim().slice(0, 20) + " " + ratio.toFixed(2));
	}
	return {Texts: texts, Weak: [...weak].slice(0, 10)};
})()`, &found)))
	require.Greater(t, found.Texts, 20, where)
	require.Empty(t, found.Weak, where)
}

// byKeyboard goes through a report with the Tab key alone. Everything that a pointer can use must be reached and must
// show that it has the focus, and Enter on a column heading must sort the table.
func byKeyboard(t *testing.T, ctx context.Context) {
	t.Helper()
	var usable int
	require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`(() => {
	const all = [...document.querySelectorAll("a[href], button, select, summary, input, [tabindex='0']")];
	const usable = all.filter((e) => e.getClientRects().length && !e.disabled);
	document.activeElement.blur();
	window.getSelection().removeAllRanges();
	window.reached = new Set();
	window.unmarked = [];
	return usable.length;
})()`, &usable)))
	require.Greater(t, usable, 5)
	for range usable + 2 {
		require.NoError(t, chromedp.Run(ctx, chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(`(() => {
	const e = document.activeElement, style = getComputedStyle(e);
	if (e === document.body) return;
	reached.add(e);
	if (style.outlineStyle === "none" && style.boxShadow === "none") unmarked.push(e.tagName + "." + e.className);
})()`, nil)))
	}
	var found struct {
		Reached  int
		Unmarked []string
		Sorted   []float64
	}
	require.NoError(t, chromedp.Run(ctx,
		chromedp.Evaluate(`document.querySelector('table.sortable th[data-col="1"] button').focus()`, nil),
		chromedp.KeyEvent(kb.Enter),
		chromedp.Evaluate(`({
	Reached: reached.size, Unmarked: unmarked.slice(0, 5),
	Sorted: [...document.querySelector("table.sortable").tBodies[0].rows].map((r) => parseFloat(r.cells[1].textContent)),
})`, &found)))
	require.GreaterOrEqual(t, found.Reached, usable, "what the tabulator reaches")
	require.Empty(t, found.Unmarked, "what does not show that it has the focus")
	up, down := true, true
	for i := 1; i < len(found.Sorted); i++ {
		up = up && found.Sorted[i-1] <= found.Sorted[i]
		down = down && found.Sorted[i-1] >= found.Sorted[i]
	}
	require.True(t, up || down, "sorted by Enter: %v", found.Sorted)
}

// printed prints a page from a browser in dark mode. On paper the page must be dark on white and no wider than a sheet
// of A4.
func printed(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	var scroll struct {
		Width     int64
		Offenders []string
	}
	dark := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}
	const sheet = 794 - 2*38 // CSS pixels of A4's 210 mm, less margins of a centimetre
	var body string
	var pdf []byte
	require.NoError(t, chromedp.Run(ctx,
		emulation.SetEmulatedMedia().WithMedia("print").WithFeatures(dark),
		chromedp.EmulateViewport(sheet, 900),
		chromedp.Evaluate(measure, &scroll),
		chromedp.Evaluate(`getComputedStyle(document.body).backgroundColor`, &body),
	))
	require.LessOrEqual(t, scroll.Width, int64(sheet), "on paper: too wide are %q", scroll.Offenders)
	require.Empty(t, scroll.Offenders, "on paper")
	require.Contains(t, []string{"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}, body, "the paper's colour")
	contrast(t, ctx, "on paper")
	require.NoError(t, chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		var err error
		pdf, _, err = page.PrintToPDF().WithPaperWidth(8.27).WithPaperHeight(11.69).WithPrintBackground(true).
			Do(cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Target))
		return err
	}), emulation.SetEmulatedMedia()))
	require.True(t, bytes.HasPrefix(pdf, []byte("%PDF-")))
	require.NotEmpty(t, regexp.MustCompile(`/Type\s*/Page\b`).FindAll(pdf, -1), "sheets")
	if folder := os.Getenv("GOLINE_SCREENSHOTS"); folder != "" {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".pdf"), pdf, 0o666))
	}
}
