package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/cli/command"
)

// manDate is the date in every manual page, so that the same program always writes the same bytes.
var manDate = time.Unix(0, 0).UTC()

// newMan returns the command that writes manual pages. It is for packagers and hidden from users.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write manual pages of all commands into a folder",
		Long: "Write a manual page, goline-COMMAND.1, for every command into the folder DIR, which is made where " +
			"there is none.",
		Example: "  goline man /usr/local/share/man/man1",
		Hidden:  true,
		Args:    exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeManual(cmd.Root(), args[0])
		},
	}
}

// exactly requires exactly one argument, which errors call by the given name.
func exactly(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return command.Usagef("expected one argument, %s, got %d", name, len(args))
		}
		return nil
	}
}

// writeManual writes the manual pages of a command and its subcommands.
func writeManual(cmd *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("man: %w", err)
	}
	cmd.DisableAutoGenTag = true
	header := doc.GenManHeader{Title: strings.ToUpper(strings.ReplaceAll(cmd.CommandPath(), " ", "-")), Section: "1",
		Source: "goline", Manual: "goline manual", Date: &manDate}
	path := filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1")
	if err := atomicfile.Write(path, func(w io.Writer) error { return doc.GenMan(cmd, &header, w) }); err != nil {
		return fmt.Errorf("man: %w", err)
	}
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "help" {
			continue
		}
		if err := writeManual(c, dir); err != nil {
			return err
		}
	}
	return nil
}
