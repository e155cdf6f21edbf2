package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/nets"
)

func newNetworks() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "networks",
		Short: "List the architectures that --net takes",
		Long: "List the architectures that --net takes by name: numbers stand where the names have words in " +
			"capitals, brackets hold what may be left out.",
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(nets.Names())
			}
			for _, name := range nets.Names() {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), name); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
