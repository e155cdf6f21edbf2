package browser

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// TestServicePage scores a picture on the page of goline serve, in both colour schemes and at two widths. It uses the
// keyboard alone, except for the system's file dialog, and checks that the page sends requests to nobody but the
// server. At the end it drops and pastes pictures.
func TestServicePage(t *testing.T) {
	browser := chromium(t)
	dir := t.TempDir()
	program, detector, picture := filepath.Join(dir, "goline"), filepath.Join(dir, "det.npz"),
		filepath.Join(dir, "picture.png")
	run(t, "go", "build", "-C", "cmd/goline", "-o", program)
	run(t, program, "fit", "--net", "resnet-fashion-8-24", "--weights", "testdata/demo/weights.npz",
		"--data", "idx:testdata/demo/fashion-fit-images.gz+testdata/demo/fashion-fit-labels.gz", "--out", detector)
	img := image.NewGray(image.Rect(0, 0, 28, 28))
	for i := range img.Pix {
		img.Pix[i] = color.Gray{Y: uint8(i * i)}.Y
	}
	f, err := os.Create(picture)
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, img))
	require.NoError(t, f.Close())

	cmd := exec.CommandContext(t.Context(), program, "serve", "--detector", detector, "--listen", "127.0.0.1:0")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	base := regexp.MustCompile(`http://\S+`).FindString(line)
	defer func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait())
	}()

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.NoSandbox)...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	complaints := listen(ctx)
	var outside []string
	chromedp.ListenTarget(ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok {
			u, err := url.Parse(e.Request.URL)
			if err != nil || u.Scheme == "http" && "http://"+u.Host != base || u.Scheme == "https" {
				outside = append(outside, e.Request.URL)
			}
		}
	})
	require.NoError(t, chromedp.Run(ctx, network.Enable()))
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{400, 1400} {
			where := fmt.Sprintf("%s at %d pixels", scheme, width)
			var scroll struct {
				Width     int64
				Offenders []string
			}
			var focus, model, verdict string
			var open bool
			var neurons int
			require.NoError(t, chromedp.Run(ctx,
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme",
					Value: scheme}}),
				chromedp.EmulateViewport(width, 900),
				chromedp.Navigate(base),
				chromedp.WaitReady("body"),
				chromedp.KeyEvent(kb.Tab),
				chromedp.Evaluate(`document.activeElement.id`, &focus),
				chromedp.SetUploadFiles("#file", []string{picture}, chromedp.ByID),
				chromedp.Poll(`/distribution/.test(document.getElementById("verdict").textContent)`, nil),
				chromedp.Text("#verdict", &verdict, chromedp.ByID),
				chromedp.Text("#model", &model, chromedp.ByID),
				chromedp.Evaluate(`document.querySelectorAll("#neurons tbody tr").length`, &neurons),
				chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter),
				chromedp.Evaluate(`document.querySelector("details").open`, &open),
				chromedp.Evaluate(measure, &scroll),
			), where)
			require.Equal(t, "file", focus, where)
			require.Regexp(t, "^(In|Out of) distribution$", verdict, where)
			require.Contains(t, model, "det: line on resnet-fashion-8-24", where)
			require.Equal(t, 10, neurons, where)
			require.True(t, open, "%s: the fold opens by keyboard", where)
			require.LessOrEqual(t, scroll.Width, width, "%s: too wide are %q", where, scroll.Offenders)
			require.Empty(t, scroll.Offenders, where)
			contrast(t, ctx, where)
			screenshot(t, ctx, fmt.Sprintf("service-%s-%d.png", scheme, width))
		}
	}
	printed(t, ctx, "service")
	dropped(t, ctx, base, picture)
	require.Empty(t, outside, "requests to others")
	require.Empty(t, *complaints, "what the browser's console says")
}

// dropped checks what the page does with a picture that is dropped anywhere on it, or pasted: it shows that it will
// take it, keeps the browser from opening the file, and scores it. What is dropped without a file changes nothing.
func dropped(t *testing.T, ctx context.Context, base, picture string) {
	t.Helper()
	data, err := os.ReadFile(picture)
	require.NoError(t, err)
	carrier := fmt.Sprintf(`const bytes = Uint8Array.from(atob(%q), c => c.charCodeAt(0)), carrier = new DataTransfer();
		carrier.items.add(new File([bytes], "dropped.png", {type: "image/png"}));
		const verdict = () => document.getElementById("verdict").textContent;
		const over = () => document.getElementById("drop").classList.contains("over");
		const drag = (kind, dataTransfer) => document.querySelector("h1").dispatchEvent(
			new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true}));
	`, base64.StdEncoding.EncodeToString(data))
	for what, action := range map[string]string{
		"drop":  `drag("drop", carrier)`,
		"paste": `document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: carrier, bubbles: true}))`,
	} {
		var seen []bool
		var before, after, verdict string
		require.NoError(t, chromedp.Run(ctx,
			chromedp.Navigate(base), chromedp.WaitReady("body"),
			chromedp.Evaluate(`(() => {`+carrier+`
				const seen = [drag("dragover", carrier), over()];
				seen.push(drag("dragleave", carrier), over());
				drag("dragover", carrier);
				const text = new DataTransfer();
				text.setData("text/plain", "no file");
				seen.push(drag("drop", text), over());
				return seen;
			})()`, &seen),
			chromedp.Text("#verdict", &before, chromedp.ByID),
			chromedp.Evaluate(`(() => {`+carrier+action+`; return verdict(); })()`, &after),
			chromedp.Poll(`/distribution/.test(document.getElementById("verdict").textContent)`, nil),
			chromedp.Text("#verdict", &verdict, chromedp.ByID),
		), what)
		// dispatchEvent returns false where the page keeps the browser's own action from happening
		require.Equal(t, []bool{false, true, false, false, false, false}, seen, what)
		require.NotRegexp(t, "distribution|Scoring", before, what)
		require.Equal(t, "Scoring…", after, what)
		require.Regexp(t, "^(In|Out of) distribution$", verdict, what)
	}
}
