package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
)

// Provenance says how a result was obtained, and holds further things that the page shows.
type Provenance struct {
	Command string // the command line; "" leaves it out
	Facts   []Fact // such as versions and data sets, in the order in which they are shown
	// Predictions says which classes the network predicts for the samples of sets; nil leaves this out.
	Predictions []Predictions
	// Outcomes says for each ID sample, in the order of its scores, whether the network classifies it correctly; nil
	// leaves out the accuracy-coverage curves.
	Outcomes []Outcome
	// Pictures holds the pictures of sets with extreme scores; nil leaves them out.
	Pictures []Pictures
	// Sections are shown after the overview.
	Sections []Section
}

// Fact is one line of provenance, text both: Name says what it is, Value what was used.
type Fact struct{ Name, Value string }

// Section is a part of a page whose content the caller wrote.
type Section struct {
	ID    string        // id of its heading, different from all others on the page
	Title string        // its heading, text
	Body  template.HTML // written to the page unescaped
}

// WriteHTML writes the result as one self-contained HTML file: what the method is, a table that can be sorted, what
// the methods cost, ROC and precision-recall curves for each row of the table, accuracy by coverage, histograms of
// scores, all metrics with their intervals, tests of methods against each other, how parameters were chosen,
// pictures, predicted classes, and where the result comes from. It suits narrow and wide screens, light and dark
// ones, and paper. Its script sorts and highlights; without the script nothing is missing.
//
// scores may hold some of the methods, each with all OOD sets, or be nil for a report without figures. Nothing is
// written unless the whole report could be made. It is an error if the result is not valid, if scores name a method
// or OOD sets that the result does not have, if they are empty, hold a NaN or no finite score, or if the number of
// outcomes is not that of the ID scores.
func (r Result) WriteHTML(w io.Writer, scores []Scores, p Provenance) error {
	if err := r.Validate(); err != nil {
		return err
	}
	v, err := r.view(scores, p)
	if err != nil {
		return err
	}
	t, err := template.New("report").Parse(page)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = out.WriteTo(w)
	return err
}

var (
	//go:embed report.html.tmpl
	page string
	//go:embed report.css
	style string
	//go:embed report.js
	script string
)

// policy returns a content security policy that lets the page run its own script and nothing else, and load nothing.
func policy() string {
	sum := sha256.Sum256([]byte(script))
	return "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
