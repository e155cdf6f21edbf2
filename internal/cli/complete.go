package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// completeFlags lets shells complete the values of flags, for a command and its subcommands: the script that "goline
// completion" prints asks the program for them. Flags that take files complete file names by default.
func completeFlags(cmd *cobra.Command) {
	for flag, values := range map[string]func() []string{
		"net":        namedNetworks,
		"method":     posthoc.Names,
		"methods":    posthoc.Names,
		"preprocess": nets.Presets,
		"device":     func() []string { return []string{"cpu", "cuda"} },
		"precision":  func() []string { return []string{"f32", "bf16"} },
		"progress":   func() []string { return []string{"auto", "always", "never"} },
	} {
		if cmd.Flags().Lookup(flag) == nil {
			continue
		}
		// An error means only that the command lacks the flag, or that the flag has completions already.
		_ = cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, typed string) ([]string,
			cobra.ShellCompDirective) {
			done := ""
			if flag == "methods" { // a list: the names before the last comma stay
				done = typed[:strings.LastIndexByte(typed, ',')+1]
			}
			var out []string
			for _, v := range values() {
				if v = done + v; strings.HasPrefix(v, typed) {
					out = append(out, v)
				}
			}
			return out, cobra.ShellCompDirectiveDefault // the value may also be a file
		})
	}
	for _, c := range cmd.Commands() {
		completeFlags(c)
	}
}

// namedNetworks returns the names that stand for one network each, without the patterns.
func namedNetworks() (out []string) {
	for _, name := range nets.Names() {
		if strings.ToLower(name) == name {
			out = append(out, name)
		}
	}
	return append(out, "densenet-bc-100-12", "wrn-40-2", "resnet-cifar-20-16", "resnet-fashion-8-24")
}
