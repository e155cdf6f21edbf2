package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/kernel"
)

// versionInfo is what goline version prints.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Kernels  string `json:"kernels"` // instruction set in use
	Gorgonia string `json:"gorgonia,omitempty"`
}

func readVersion() versionInfo {
	v := versionInfo{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Kernels: kernel.Level()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	for _, d := range info.Deps {
		if d.Path == "gorgonia.org/gorgonia" {
			v.Gorgonia = d.Version
		}
	}
	return v
}

// release is the version with the revision, where the version does not name one.
func (v versionInfo) release() string {
	if v.Revision == "" || len(v.Revision) >= 12 && strings.Contains(v.Version, v.Revision[:12]) {
		return v.Version
	}
	return v.Version + " " + v.Revision
}

// line is the version in one line, with its end.
func (v versionInfo) line() string {
	return fmt.Sprintf("goline %s, %s, %s, kernels %s, gorgonia %s\n", v.release(), v.Go, v.Platform, v.Kernels, v.Gorgonia)
}

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version and what it was built with",
		Args:  command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := readVersion()
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), v.line())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
