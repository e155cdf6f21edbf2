package report

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
)

// Pictures holds the pictures of one set with the highest and the lowest scores of a method.
type Pictures struct {
	Set    string    // the set's name
	Method string    // the method whose scores they are
	Most   []Picture // the highest score first
	Least  []Picture // the lowest score first
}

// Picture is one picture with the results of the network and the method.
type Picture struct {
	PNG     []byte  // a small copy
	Caption string  // text that identifies the picture in its set
	Score   float64 // higher = more in-distribution
	// Prediction is the class that the network predicts. Label is the right class if it is known and differs from the
	// prediction, otherwise "".
	Prediction, Label string
	// Neurons are the most important neurons, the most important first.
	Neurons []Neuron
}

// Neuron is a penultimate neuron and its contribution to the logit of the predicted class.
type Neuron struct {
	Index        int     // among the penultimate features, from 0
	Contribution float64 // in the unit of a logit
}

type picturesView struct {
	Set, Method string
	Rows        []pictureRow
}

type pictureRow struct {
	Title string
	Cards []pictureCard
}

type pictureCard struct {
	Image                               template.URL
	Caption, Score, Prediction, Neurons string
	Label                               string
}

func viewPictures(all []Pictures) (out []picturesView) {
	for _, p := range all {
		out = append(out, picturesView{printable(p.Set), printable(p.Method), []pictureRow{
			{"Most in-distribution", cards(p.Most)}, {"Least in-distribution", cards(p.Least)},
		}})
	}
	return out
}

func cards(pictures []Picture) (out []pictureCard) {
	for _, p := range pictures {
		var neurons []string
		for _, n := range p.Neurons {
			neurons = append(neurons, fmt.Sprintf("%d (%+.2f)", n.Index, n.Contribution))
		}
		out = append(out, pictureCard{
			Image:   template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(p.PNG)),
			Caption: printable(p.Caption), Score: fmt.Sprintf("%.2f", p.Score), Prediction: printable(p.Prediction),
			Label:   printable(p.Label),
			Neurons: strings.Join(neurons, ", "),
		})
	}
	return out
}
