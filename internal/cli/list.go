package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/listing"
	"github.com/line-ood/goline/internal/objects"
)

func newList() *cobra.Command {
	var data, out string
	cmd := &cobra.Command{
		Use:   "list --data URL --out FILE",
		Short: "Write the names of the pictures in an object store to a list file",
		Long: `List the pictures below a URL of an object store, told by the endings of their names, into a list file, in the memory
of one page of names. Names are written as they come, to FILE.part, with a mark of where to go on in FILE.mark: a
command that was ended in between, by whatever, goes on there when it is given again. The finished list is for DATA:
list:FILE+URL, also with --shard.`,
		Example: `  goline list --data s3://bucket/pictures --out names.txt
  goline score --detector det.npz --data list:names.txt+s3://bucket/pictures --out s3://bucket/scores.parquet`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := command.Required("--data", data, "--out", out); err != nil {
				return err
			}
			if !objects.IsURL(data) {
				return command.Usagef("--data %s: expected the URL of a folder in an object store, such as "+
					"s3://bucket/folder", data)
			}
			if objects.IsURL(out) {
				return command.Usagef("--out %s: expected a file of this machine, got the URL of a store", out)
			}
			if err := objects.Check(data); err != nil {
				return fmt.Errorf("--data: %w", err)
			}
			if err := command.CheckOutputs(command.Outputs("--out", out, "--out", out+listing.PartEnding, "--out",
				out+listing.MarkEnding)); err != nil {
				return err
			}
			s, err := listing.Write(cmd.Context(), data, out, nil)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d pictures of %s; %d other objects left out\n", out,
				s.Pictures, data, s.Others)
			return err
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "`URL` of a folder in an object store")
	cmd.Flags().StringVar(&out, "out", "", "`FILE` to write the list to")
	return cmd
}
