package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/cuda"
	"github.com/line-ood/goline/internal/kernel"
)

// versionInfo is what goline version prints.
type versionInfo struct {
	command.Build
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Kernels  string `json:"kernels"` // name of the instruction set that the kernels use
	CUDA     cards  `json:"cuda"`
}

// cards describes what --device cuda can run on.
type cards struct {
	Driver  string      `json:"driver,omitempty"` // the newest version of CUDA that the driver supports
	Cards   []cuda.Card `json:"cards,omitempty"`
	Missing string      `json:"missing,omitempty"` // why there is no card
}

func readCards() cards {
	d, err := cuda.Open()
	if err != nil {
		return cards{Missing: err.Error()}
	}
	v, err := d.Version()
	if err != nil {
		return cards{Missing: err.Error()}
	}
	c := cards{Driver: fmt.Sprintf("%d.%d", v/1000, v%1000/10)}
	if c.Cards, err = d.Cards(); err != nil {
		c.Missing = err.Error()
	}
	return c
}

// lines returns the description as text, one line for each card.
func (c cards) lines() string {
	if c.Missing != "" {
		return c.Missing + "\n"
	}
	var s strings.Builder
	fmt.Fprintf(&s, "CUDA %s driver, %d cards\n", c.Driver, len(c.Cards))
	for _, card := range c.Cards {
		fmt.Fprintf(&s, "  cuda:%d %s, %.1f GiB, compute capability %s, %d multiprocessors\n",
			card.Index, card.Name, float64(card.Memory)/(1<<30), card.Capability(), card.Processors)
	}
	return s.String()
}

func readVersion() versionInfo {
	return versionInfo{Build: command.ReadBuild(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Kernels: kernel.Level()}
}

// line returns the version in one line, with a newline.
func (v versionInfo) line() string {
	return fmt.Sprintf("goline %s, %s, %s, kernels %s, gorgonia %s\n", v.Release(), v.Go, v.Platform, v.Kernels,
		v.Gorgonia)
}

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, what it was built with, and which cards --device cuda finds",
		Args:  command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := readVersion()
			v.CUDA = readCards()
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), v.line()+v.CUDA.lines())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
