package line

import (
	"fmt"
	"slices"
	"strings"

	"github.com/line-ood/goline/internal/npyz"
)

// checkFormat returns an error unless the archive is a detector; the error says what it is instead.
func checkFormat(r *npyz.Reader) error {
	format := ""
	if r.Has("format") {
		if a, err := r.Read("format"); err == nil {
			if s, err := a.AsStrings(); err == nil && len(s) == 1 {
				format = s[0]
			}
		}
	}
	if format == fileFormat {
		return nil
	}
	return fmt.Errorf("it is not a LINe detector: %s", content(r, format))
}

// content describes the content of an archive that is not a detector, by its format and the names of its arrays.
func content(r *npyz.Reader, format string) string {
	names := r.Names()
	find := func(match func(string) bool) (string, bool) {
		i := slices.IndexFunc(names, match)
		return names[max(0, i)], i >= 0
	}
	all := func(want ...string) bool {
		return !slices.ContainsFunc(want, func(name string) bool { return !r.Has(name) })
	}
	switch {
	case len(names) == 0:
		return "it holds no arrays"
	case strings.HasPrefix(format, "goline training checkpoint"):
		return "it is a training checkpoint of goline train"
	case format != "":
		return fmt.Sprintf("expected format %q, got %q", fileFormat, format)
	case all("contribution_sums", "fingerprint"):
		return fmt.Sprintf("no array format = %q", fileFormat)
	case all("features", "logits"):
		return "it holds features, as goline features writes them"
	case all("scores", "predictions"):
		return "it holds scores, as goline score writes them"
	}
	if name, ok := find(func(s string) bool { return strings.HasSuffix(s, "data.pkl") }); ok {
		return fmt.Sprintf("it is a PyTorch file (%q)", name)
	}
	if name, ok := find(func(s string) bool { return strings.HasSuffix(s, ".weight") }); ok {
		return fmt.Sprintf("it holds network weights (%q and others)", name)
	}
	if all("images") {
		return "it holds images"
	}
	const shown = 4
	if len(names) > shown {
		return fmt.Sprintf("it holds arrays %q and %d more", names[:shown], len(names)-shown)
	}
	return fmt.Sprintf("it holds arrays %q", names)
}
