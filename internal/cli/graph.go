package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
)

func newGraph() *cobra.Command {
	var (
		net           command.Network
		detector, out string
		from          string
		fetch         []string
		classes       int
	)
	cmd := &cobra.Command{
		Use: "graph --net NAME [--weights FILE] | --detector det.npz  [--fetch NAMES] [--from NAME] [--out " +
			"FILE.dot|.svg]",
		Short: "Draw the expression graph",
		Long: `Write the Gorgonia expression graph that computes the fetched nodes, as DOT or, where Graphviz is installed, as SVG.
Without --out DOT goes to standard output. A wrong name in --fetch or --from lists the right ones.`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := command.CheckOutputs(command.Outputs("--out", out),
				append(net.Inputs(), command.InputFile("--detector", detector))...); err != nil {
				return err
			}
			model, err := graphModel(net, detector, classes)
			if err != nil {
				return err
			}
			if len(fetch) == 0 {
				fetch = nil
			}
			prog, err := graph.Compile(model, graph.Options{Batch: 1, Workers: 1, Fetch: fetch, From: from})
			if errors.Is(err, graph.ErrNoNode) && (fetch != nil || from != "") {
				return command.UsageError{Err: err}
			}
			if err != nil {
				return err
			}
			if out == "" {
				return prog.DOT(cmd.OutOrStdout())
			}
			write, err := drawer(cmd, out, prog)
			if err != nil {
				return err
			}
			return atomicfile.Write(out, write)
		},
	}
	net.Register(cmd)
	f := cmd.Flags()
	f.StringVar(&detector, "detector", "", "detector `FILE` whose whole pipeline is drawn")
	f.StringVar(&out, "out", "", "`FILE` to write: .dot or .svg")
	f.StringSliceVar(&fetch, "fetch", nil,
		"`NODES` to compute, for example features,contributions or score_gradient_input")
	f.StringVar(&from, "from", "", "`NODE` to start at instead of the images, for example features")
	f.IntVar(&classes, "classes", 10, "number of classes where no weights are given")
	return cmd
}

func graphModel(net command.Network, detector string, classes int) (graph.Model, error) {
	if classes < 1 || classes > maxClasses {
		return nil, command.Usagef("--classes %d: expected 1 to %d", classes, maxClasses)
	}
	if detector != "" {
		det, _, err := net.Detector(detector)
		if err != nil {
			return nil, err
		}
		return line.Pipeline{Classifier: det.Network(), Detector: det}, nil
	}
	if !net.Given() {
		return nil, command.Usagef("--net or --detector is required")
	}
	n, _, err := net.OpenOrNew(classes)
	if err != nil {
		return nil, err
	}
	return line.Pipeline{Classifier: n}, nil
}

func drawer(cmd *cobra.Command, path string, prog *graph.Program) (func(io.Writer) error, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".dot", ".gv":
		return prog.DOT, nil
	case ".svg":
		dot, err := exec.LookPath("dot")
		if err != nil {
			return nil, fmt.Errorf("%s needs Graphviz: install it, or write a .dot file: %w", path, err)
		}
		return func(w io.Writer) error {
			var source, problem bytes.Buffer
			if err := prog.DOT(&source); err != nil {
				return err
			}
			run := exec.CommandContext(cmd.Context(), dot, "-Tsvg")
			run.Stdin, run.Stdout, run.Stderr = &source, w, &problem
			if err := run.Run(); err != nil {
				return fmt.Errorf("%s: %w: %s", dot, err, strings.TrimSpace(problem.String()))
			}
			return nil
		}, nil
	default:
		return nil, command.Usagef("--out %s: expected the ending .dot or .svg, got %q", path, ext)
	}
}
