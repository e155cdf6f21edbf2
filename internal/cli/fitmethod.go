package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// methodFlags hold the flags that choose a detector other than LINe, and its parameters.
type methodFlags struct {
	name   string
	params []string
}

// parse returns the parameters. It is a usage error if the method does not exist or does not accept them.
func (m *methodFlags) parse() (map[string]float64, error) {
	params := map[string]float64{}
	for _, p := range m.params {
		key, value, ok := strings.Cut(p, "=")
		name, dot := strings.CutPrefix(key, m.name+".")
		v, err := strconv.ParseFloat(value, 64)
		if !ok || !dot || err != nil {
			return nil, command.Usagef("--param %q: expected %s.NAME=NUMBER", p, m.name)
		}
		params[name] = v
	}
	if m.name == "line" && len(params) > 0 {
		return nil, command.Usagef("--param: LINe's parameters are flags, --p-a and others")
	}
	made, err := posthoc.New(m.name, posthoc.Options{Params: params})
	if err != nil {
		return nil, command.Usagef("--method: %w", err)
	}
	if needs := eval.Needs(made); len(needs) > 0 {
		return nil,
			command.Usagef("--method: %s needs %s of each picture: expected a method that needs features and logits "+
				"alone", m.name, strings.Join(needs, ", "))
	}
	return params, nil
}

// fitMethod fits a detector of a method other than LINe and returns it with the number of images that it was fitted to.
func fitMethod(ctx context.Context, c *command.Common, flags *command.Network, net nets.Classifier, images,
	method string, params map[string]float64) (*line.Detector, int, error) {
	var set dataset.Dataset
	kind, err := posthoc.LookUp(method)
	if err != nil {
		return nil, 0, err
	}
	check := eval.CheckLabels
	if kind.FittedOn == posthoc.Labels {
		check = eval.CheckTraining
	}
	if set, err = flags.Data("--data", images); err != nil {
		return nil, 0, err
	}
	defer set.Close()
	if err := check(set, net.Classes()); err != nil {
		return nil, 0, fmt.Errorf("--data %w", err)
	}
	if err := c.Limit(net, set.Len()); err != nil {
		return nil, 0, err
	}
	o, finish := c.EvalOptions()
	defer finish()
	x, err := command.NewExtractor(net, "", "", o)
	if err != nil {
		return nil, 0, err
	}
	hashed := dataset.WithHashes(set)
	s, err := x.Samples(ctx, "fit", hashed)
	if err != nil {
		return nil, 0, err
	}
	det, err := line.FitMethod(ctx, net, method, params, s)
	if err != nil {
		return nil, 0, fmt.Errorf("--data %s: %w", images, err)
	}
	return det.WithFitPictures(hashed.Hashes()), set.Len(), nil
}
