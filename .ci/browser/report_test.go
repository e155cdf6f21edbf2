// Package browser looks at goline's reports in headless Chromium. It is a module of its own, so that nothing else
// depends on a browser.
package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// TestDemoReport looks at the page of goline demo.
func TestDemoReport(t *testing.T) {
	browser := chromium(t)
	page := filepath.Join(t.TempDir(), "demo.html")
	run(t, "go", "run", "./cmd/goline", "demo", "--progress", "never", "--report", page)
	look(t, browser, page, "demo")
}

// TestCIFAR10Report looks at the page of the evaluation of the paper's CIFAR-10 network.
func TestCIFAR10Report(t *testing.T) {
	browser := chromium(t)
	if _, err := os.Stat(root + "/../shared/checkpoints/cifar10_densenet_bc_100_12.pth.tar"); err != nil {
		missing(t, "GOLINE_REQUIRE_SHARED", err.Error())
	}
	page := filepath.Join(t.TempDir(), "cifar10.html")
	run(t, "bash", ".ci/eval", "--progress", "never", "--bootstrap", "20", "--report", page)
	look(t, browser, page, "cifar10")
}

// missing skips the test because what it needs is missing, or fails it where the environment variable says that nothing
// may be missing.
func missing(t *testing.T, variable, what string) {
	t.Helper()
	if os.Getenv(variable) == "1" {
		t.Fatalf("required, and missing: %s", what)
	}
	t.Skipf("missing: %s", what)
}

// chromium returns the path of the browser's executable.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("GOLINE_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "GOLINE_REQUIRE_PEERS", "Chromium (apt-get install chromium, or set GOLINE_CHROMIUM)")
	return ""
}

// run runs a program in the repository's root.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	page := args[len(args)-1]
	path, err := filepath.Abs(page)
	require.NoError(t, err)
	args[len(args)-1] = path
	cmd := exec.Command(name, args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// look opens a page in both colour schemes at three widths, uses it by pointer and by keyboard, and prints it. The
// environment variable GOLINE_SCREENSHOTS names a folder in which to keep pictures of the page.
func look(t *testing.T, browser, page, name string) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.Flag("allow-file-access-from-files", true))...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	complaints := listen(ctx)

	background := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{400, 800, 1400} {
			var scroll struct {
				Width     int64
				Offenders []string
			}
			var colour string
			require.NoError(t, chromedp.Run(ctx,
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme",
					Value: scheme}}),
				chromedp.EmulateViewport(width, 900),
				chromedp.Navigate((&url.URL{Scheme: "file", Path: page}).String()),
				chromedp.Evaluate(unfolded, nil),
				chromedp.Evaluate(measure, &scroll),
				chromedp.Evaluate(`getComputedStyle(document.body).backgroundColor`, &colour),
			))
			require.LessOrEqual(t, scroll.Width, width, "%s at %d pixels: too wide are %q", scheme, width,
				scroll.Offenders)
			require.Empty(t, scroll.Offenders, "%s at %d pixels", scheme, width)
			background[scheme] = colour
			contrast(t, ctx, fmt.Sprintf("%s at %d pixels", scheme, width))
			screenshot(t, ctx, fmt.Sprintf("%s-%s-%d.png", name, scheme, width))
		}
	}
	require.NotEqual(t, background["light"], background["dark"], "the schemes differ")
	use(t, ctx)
	byKeyboard(t, ctx)
	printed(t, ctx, name)
	require.Empty(t, *complaints, "what the browser's console says")
}

// unfolded opens every details element of the page: the unfolded page must fit the window, too.
const unfolded = `for (const d of document.querySelectorAll("details")) d.open = true`

// measure returns the width of the page and the elements that stick out of it: those that reach beyond the right edge
// and lie in no box that scrolls.
const measure = `(() => {
	const width = document.documentElement.clientWidth;
	const offenders = [];
	for (const e of document.querySelectorAll("main *")) {
		if (e.getBoundingClientRect().right <= width + 1 || e.closest("svg svg, .scroll > *, select *")) continue;
		if (e.closest(".scroll") && e.closest(".scroll") !== e) continue;
		offenders.push(e.tagName + "." + e.getAttribute("class"));
	}
	return {Width: document.documentElement.scrollWidth, Offenders: offenders.slice(0, 5)};
})()`

// listen collects the errors and warnings that pages write to the browser's console.
func listen(ctx context.Context) *[]string {
	var all []string
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			all = append(all, e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			var words []string
			for _, a := range e.Args {
				words = append(words, string(a.Value))
			}
			all = append(all, fmt.Sprintf("console.%s: %s", e.Type, strings.Join(words, " ")))
		case *log.EventEntryAdded:
			all = append(all, fmt.Sprintf("%s: %s", e.Entry.Level, e.Entry.Text))
		}
	})
	return &all
}

// use sorts the table and highlights a method, with a pointer's events.
func use(t *testing.T, ctx context.Context) {
	var found struct {
		Sorted, Down         []float64
		Curves, Hot, Options int
		Pinned               string
		Rows                 int
	}
	require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`(() => {
	const table = document.querySelector("table.sortable"), head = table.querySelector('th[data-col="1"]');
	const column = () => [...table.tBodies[0].rows].map((r) => parseFloat(r.cells[1].textContent));
	head.querySelector("button").click();
	const sorted = column();
	head.querySelector("button").click();
	const down = column();
	const row = table.tBodies[0].rows[0], method = row.dataset.m;
	row.cells[0].dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
	const hot = document.querySelectorAll("g.curve.hot").length;
	row.cells[0].click();
	document.body.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
	const kept = document.querySelector("tr.hot");
	return {
		Sorted: sorted, Down: down, Rows: table.tBodies[0].rows.length,
		Curves: document.querySelectorAll('g.curve[data-m="' + method + '"]').length, Hot: hot,
		Options: document.querySelectorAll(".pick option").length, Pinned: kept === row ? "yes" : "no",
	};
})()`, &found)))
	for i := 1; i < len(found.Sorted); i++ {
		require.LessOrEqual(t, found.Sorted[i-1], found.Sorted[i], "sorted up")
		require.GreaterOrEqual(t, found.Down[i-1], found.Down[i], "sorted down")
	}
	require.Positive(t, found.Curves)
	require.Equal(t, found.Curves, found.Hot, "all curves of a row light up, and no others")
	require.Equal(t, found.Rows+1, found.Options)
	require.Equal(t, "yes", found.Pinned, "a click keeps the method")
}

func screenshot(t *testing.T, ctx context.Context, name string) {
	folder := os.Getenv("GOLINE_SCREENSHOTS")
	if folder == "" {
		return
	}
	var png []byte
	require.NoError(t, chromedp.Run(ctx, chromedp.FullScreenshot(&png, 100)))
	require.NoError(t, os.WriteFile(filepath.Join(folder, name), png, 0o666))
}
