package bench

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
)

// Comparable returns an error unless both results are of the same network: rates of different networks tell nothing
// about a change.
func Comparable(before, after Result) error {
	switch {
	case len(before.Runs) == 0:
		return fmt.Errorf("result to compare with: expected a file of goline bench --json, got one without runs")
	case before.Net != after.Net:
		return fmt.Errorf("result to compare with: expected network %s, got %s", after.Net, before.Net)
	case (before.Latency == nil) != (after.Latency == nil):
		return errors.New("expected both results with --latency or both without: images one at a time are another rate")
	}
	return nil
}

// PrintChange writes a table of the changes from one result to another of the same network: the medians, and whether
// every run of one was faster than every run of the other. If not, the difference may be chance.
func PrintChange(w io.Writer, before, after Result) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"", "before", "now", "change"})
	row := func(name, format string, a, b float64) {
		change := ""
		if a != 0 {
			change = fmt.Sprintf("%+.1f %%", 100*(b/a-1))
		}
		t.AppendRow(table.Row{name, fmt.Sprintf(format, a), fmt.Sprintf(format, b), change})
	}
	row("images/s", "%.1f", before.ImagesPerSec, after.ImagesPerSec)
	row("slowest run", "%.1f", slices.Min(before.Runs), slices.Min(after.Runs))
	row("fastest run", "%.1f", slices.Max(before.Runs), slices.Max(after.Runs))
	if before.Latency != nil && after.Latency != nil {
		row("p50, ms", "%.3f", before.Latency.P50, after.Latency.P50)
		row("p99, ms", "%.3f", before.Latency.P99, after.Latency.P99)
	}
	row("share of peak, %", "%.1f", before.PeakShare, after.PeakShare)
	row("bytes an image", "%.0f", before.BytesPerImage, after.BytesPerImage)
	row("objects an image", "%.2f", before.AllocsPerImage, after.AllocsPerImage)
	for _, s := range [][3]string{
		{"kernels", before.Kernels, after.Kernels}, {"precision", before.Precision, after.Precision},
		{"workers", fmt.Sprint(before.Workers), fmt.Sprint(after.Workers)}, {"images at once", fmt.Sprint(before.Batch),
			fmt.Sprint(after.Batch)},
	} {
		if s[1] != s[2] {
			t.AppendRow(table.Row{s[0], s[1], s[2], ""})
		}
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", t.Render(), verdict(before.Runs, after.Runs))
	return err
}

// verdict says whether two sets of runs, in images per second, differ by more than their scatter.
func verdict(before, after []float64) string {
	switch {
	case slices.Min(after) > slices.Max(before):
		return "faster: every run now was faster than every run before"
	case slices.Max(after) < slices.Min(before):
		return "slower: every run now was slower than every run before"
	}
	return "no clear change: the runs overlap"
}
