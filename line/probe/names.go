package probe

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// need is the parsed name of a value: kind(key=value,…).
type need struct {
	name, kind string
	params     map[string]float64
}

// parse parses a name. Anything but kind or kind(key=number,…) is an error.
func parse(name string) (need, error) {
	n := need{name: name, params: map[string]float64{}}
	kind, rest, open := strings.Cut(name, "(")
	n.kind = kind
	if !open {
		return n, nil
	}
	inside, ok := strings.CutSuffix(rest, ")")
	if !ok {
		return n, fmt.Errorf("probe: expected kind(key=number,…), got %q", name)
	}
	for _, pair := range strings.Split(inside, ",") {
		key, value, _ := strings.Cut(pair, "=")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return n, fmt.Errorf("probe: expected kind(key=number,…), got %q", name)
		}
		n.params[key] = v
	}
	return n, nil
}

// Kinds of needs, with their parameters and the shape of the value.
const (
	mapMax = "map.max" // largest pixel of each channel of the feature map: [features]
	mapStd = "map.std" // standard deviation over the pixels (n-1) of each channel: [features]
	// powers: row sums of the Gram matrices of powers of the feature map: [powers x features]
	mapGram        = "map.gram"
	rankFeatLogits = "rankfeat.logits" // logits of the feature map without its first singular pair: [classes]
	// T, eps: logits of the image changed along the gradient of its prediction: [classes]
	odinLogits = "odin.logits"
	// o, eps: features of the image changed at the pixels with the smallest gradients: [features]
	stepFeatures = "perturbed.features"
)

var parameters = map[string][]string{
	mapMax: {}, mapStd: {}, mapGram: {"powers"}, rankFeatLogits: {}, odinLogits: {"T", "eps"},
	stepFeatures: {"eps", "o"},
}

// check returns an error unless Compute knows the need, with exactly its parameters.
func (n need) check() error {
	want, ok := parameters[n.kind]
	if !ok {
		return fmt.Errorf("probe: %q is not known", n.name)
	}
	if len(n.params) != len(want) {
		return fmt.Errorf("probe: expected parameters (%s), got %q", strings.Join(want, ", "), n.name)
	}
	for _, key := range want {
		if _, ok := n.params[key]; !ok {
			return fmt.Errorf("probe: expected parameters (%s), got %q", strings.Join(want, ", "), n.name)
		}
	}
	if p, ok := n.params["powers"]; ok && (p != math.Trunc(p) || p < 1 || p > maxPowers) {
		return fmt.Errorf("probe: %q: expected a whole number of powers in [1, %d], got %v", n.name, maxPowers, p)
	}
	return nil
}

func (n need) ofMap() bool {
	switch n.kind {
	case mapMax, mapStd, mapGram, rankFeatLogits:
		return true
	}
	return false
}
