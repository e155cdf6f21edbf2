package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/cli/attribute"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/kernel"
	"github.com/line-ood/goline/internal/objects"
)

// Exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// Run executes one command line and returns the exit status.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(stderr, "goline: internal error, please report it: %v\n%s", r, debug.Stack())
			code = exitFailed
		}
	}()
	if err := kernel.CheckLevelVariable(); err != nil {
		fmt.Fprintf(stderr, "goline: %s\n", oneLine(err))
		return exitUsage
	}
	root := newRoot()
	if len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		// only for a shell: cobra keeps completions, and with them the commands, in memory for ever
		completeFlags(root)
	}
	root.Annotations = map[string]string{commandLine: quoted(args)}
	root.SetArgs(append([]string{}, args...)) // cobra would take the process' own arguments for nil
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var usage command.UsageError
	var scheme *objects.SchemeError
	switch {
	case err == nil:
		return exitDone
	case command.Interrupted(ctx, err):
		fmt.Fprintln(stderr, "goline: interrupted")
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &scheme), errors.Is(err, dataset.ErrPrefix):
		fmt.Fprintf(stderr, "goline: %s\nsee: %s --help\n", oneLine(err), cmd.CommandPath())
		return exitUsage
	default:
		fmt.Fprintf(stderr, "goline: %s\n", oneLine(err))
		return exitFailed
	}
}

// oneLine returns an error in one line. Joined errors, one per line, are separated by semicolons.
func oneLine(err error) string {
	return command.Printable(strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
}

// commandLine is the root command's annotation with the command line, for reports.
const commandLine = "command line"

// quoted returns a command line in the quoting of a shell.
func quoted(args []string) string {
	out := "goline"
	for _, a := range args {
		if a == "" || strings.ContainsFunc(a, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
				strings.ContainsRune("-_=+:,./@%", r))
		}) {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		out += " " + a
	}
	return out
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "goline",
		Short: "Tell when an image classifier is looking at something it never learned",
		Long: `goline finds out-of-distribution inputs of an image classifier by LINe (Ahn, Park and Kim, CVPR 2023).

A DATA argument is [format:]path with one of the formats cifar10, cifar100, folder, idx, list, npy, npz, tar; without a
prefix the format is told from the content. A path may be a pattern such as 'data_batch_*.bin'. score and features also read
tar:-, an archive on standard input. In a goline that is built
with object stores (cd cloud && go build ./cmd/goline) DATA and all files that are read or written may be URLs such as
s3://bucket/folder/file, gs://, azblob:// and file://.

Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted. A command that fails leaves no half-written file.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          command.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.Version = readVersion().line()
	root.SetVersionTemplate("{{.Version}}")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return command.UsageError{Err: err} })
	root.AddCommand(newFeatures(), newFit(), newCalibrate(), newExport(), newScore(), newMerge(), newList(), newServe(),
		newEval(), attribute.New(), newInspect(), newGraph(), newBench(), newTrain(), newDemo(), newNetworks(),
		newMethods(),
		newVersion(), newMan())
	suggest(root)
	return root
}

// suggest makes a command and its subcommands suggest the right name for a mistyped command.
func suggest(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2
	for _, c := range cmd.Commands() {
		suggest(c)
	}
}
