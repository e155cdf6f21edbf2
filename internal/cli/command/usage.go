package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// UsageError marks an error in the command line. It leads to exit status 2 and a hint at --help.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }
func (e UsageError) Unwrap() error { return e.Err }

// Usagef is [fmt.Errorf] for a [UsageError].
func Usagef(format string, args ...any) error { return UsageError{Err: fmt.Errorf(format, args...)} }

// Required takes pairs of a flag and its value. It fails where values are empty.
func Required(pairs ...string) error {
	var missing []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			missing = append(missing, pairs[i])
		}
	}
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return Usagef("%s is required", missing[0])
	}
	last := len(missing) - 1
	return Usagef("%s and %s are required", strings.Join(missing[:last], ", "), missing[last])
}

// NoArgs refuses positional arguments. On the root command such an argument is an unknown subcommand.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
			return Usagef("unknown command %q; did you mean %s?", args[0], strings.Join(similar, " or "))
		}
		return Usagef("unknown command %q", args[0])
	}
	return Usagef("unexpected argument %q", args[0])
}
