package command

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// Contributions holds the flag that names a file with the contributions for LINe, which are then not computed.
type Contributions struct {
	File   string
	parsed contributionsFile
}

// Register adds the flag to a command.
func (c *Contributions) Register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.File, "contributions", "",
		"JSON `FILE` of goline attribute values --scope class: LINe takes these contributions instead of gradient × "+
			"activation")
}

// Input returns the file that the flag names.
func (c *Contributions) Input() Input { return InputFile("--contributions", c.File) }

// contributionsFile holds the parts that are used of a file written by "attribute values".
type contributionsFile struct {
	Setting struct {
		Net     string `json:"net"`
		Weights string `json:"weights_sha256"`
		Layer   string `json:"layer"`
		Players string `json:"players"`
		Value   string `json:"value"`
		Removal string `json:"removal"`
		Scope   string `json:"scope"`
	} `json:"setting"`
	Partial   bool `json:"partial"`
	Estimates []struct {
		Label    *int `json:"label"`
		Estimate struct {
			Method string     `json:"method"`
			Values []*float64 `json:"values"`
		} `json:"estimate"`
	} `json:"estimates"`
}

// Check reads and parses the file if the flag is given. It is called before the work begins.
func (c *Contributions) Check() error {
	if c.File == "" {
		return nil
	}
	data, err := fsfile.ReadRegular(c.File)
	if err != nil {
		return fmt.Errorf("--contributions: %w", err)
	}
	return c.parse(data)
}

// parse parses the content of the file.
func (c *Contributions) parse(data []byte) error {
	if err := json.Unmarshal(data, &c.parsed); err != nil {
		return fmt.Errorf("--contributions %s: expected JSON of goline attribute values: %w", c.File, err)
	}
	s := c.parsed.Setting
	for _, want := range []struct{ what, want, got string }{
		{"scope", "class", s.Scope}, {"layer", nets.Features, s.Layer}, {"players", "neurons", s.Players},
	} {
		if want.got != want.want {
			return fmt.Errorf("--contributions %s: expected %s %q, got %q", c.File, want.what, want.want, want.got)
		}
	}
	if c.parsed.Partial {
		return fmt.Errorf("--contributions %s: expected a finished estimate, got one that was interrupted", c.File)
	}
	return nil
}

// Source returns the contributions that Check has read, nil without the flag. The file must hold the values of every
// penultimate neuron for every class, estimated by one estimator for this network, whose weights have the given hash.
func (c *Contributions) Source(net nets.Classifier, weightsSHA func() (string, error)) (line.Source, error) {
	if c.File == "" {
		return nil, nil
	}
	sha, err := weightsSHA()
	if err != nil {
		return nil, err
	}
	s := c.parsed.Setting
	if s.Net != net.Name() || s.Weights != sha {
		return nil,
			fmt.Errorf("--contributions %s: expected values of %s with weights of SHA-256 %.16s…, got %s with %.16s…",
				c.File, net.Name(), sha, s.Net, s.Weights)
	}
	g := line.GivenContributions{}
	if g.Mean, g.Name, err = c.parsed.values(net.Classes(), net.FeatureDim()); err != nil {
		return nil, fmt.Errorf("--contributions %s: %w", c.File, err)
	}
	return g, nil
}

// values returns the contributions [classes, features] and the name of their source.
func (f *contributionsFile) values(k, d int) (mean []float64, name string, err error) {
	mean = make([]float64, k*d)
	seen := make([]bool, k)
	for _, e := range f.Estimates {
		switch {
		case e.Label == nil || *e.Label < 0 || *e.Label >= k:
			return nil, "", fmt.Errorf("expected estimates of classes 0 to %d, got one of another or no class", k-1)
		case seen[*e.Label]:
			return nil, "", fmt.Errorf("expected one estimator, got two estimates of class %d", *e.Label)
		case len(e.Estimate.Values) != d:
			return nil, "", fmt.Errorf("expected one value for each of %d neurons, got %d for class %d", d,
				len(e.Estimate.Values), *e.Label)
		}
		seen[*e.Label] = true
		for i, v := range e.Estimate.Values {
			if v == nil {
				return nil, "", fmt.Errorf("value of neuron %d for class %d is not a number", i, *e.Label)
			}
			mean[*e.Label*d+i] = *v
		}
		name = f.Setting.Value + " by " + e.Estimate.Method
	}
	for class, ok := range seen {
		if !ok {
			return nil, "", fmt.Errorf("expected estimates of classes 0 to %d, got none of class %d", k-1, class)
		}
	}
	if f.Setting.Removal != "zero" {
		name += ", removal to " + f.Setting.Removal
	}
	return mean, name, nil
}
