package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

func newExport() *cobra.Command {
	var (
		detector, out string
		net           command.Network
		outputs       []string
	)
	cmd := &cobra.Command{
		Use:   "export --detector det.npz --out det.onnx",
		Short: "Write a fitted detector as an ONNX file",
		Long: `Write a detector with its network as an ONNX file of standard operators (opset 17): backbone, clipping, masks, routed head, score
and prediction. ONNX Runtime, OpenVINO, Triton or a browser run it as it is. The batch is free.
The input is an image as the network takes it, float32 [batch, channels, height, width], already resized and normalised: how is in
the file's metadata, as goline.preprocessing, beside the detector's parameters, its 95 % threshold and, where
it was calibrated, goline.threshold_calibrated: a score below that is out-of-distribution. The outputs are score
[batch] (higher is more in-distribution) and prediction [batch], the class.`,
		Example: `  goline export --detector detector.npz --out detector.onnx`,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := command.Required("--detector", detector, "--out", out); err != nil {
				return err
			}
			if err := command.CheckOutputs(command.OutputAs("--out", out, ".onnx"),
				append(net.Inputs(), command.InputFile("--detector", detector))...); err != nil {
				return err
			}
			det, n, err := net.Detector(detector)
			if err != nil {
				return err
			}
			if det.Method() != "line" {
				return fmt.Errorf("--detector %s: it is of method %s, and LINe alone can be exported", detector,
					det.Method())
			}
			facts, err := exportFacts(det, n)
			if err != nil {
				return err
			}
			o := onnx.ExportOptions{Outputs: outputs, Metadata: facts}
			err = atomicfile.Write(out, func(w io.Writer) error {
				return onnx.Export(w, line.Pipeline{Classifier: det.Network(), Detector: det}, o)
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: input %v for each image, %s; outputs %q\n", out,
				n.InputShape(), n.Preprocessing(), outputs)
			return err
		},
	}
	net.Register(cmd)
	cmd.Flags().StringVar(&detector, "detector", "", "`FILE` that goline fit wrote")
	cmd.Flags().StringVar(&out, "out", "", "ONNX `FILE` to write")
	cmd.Flags().StringSliceVar(&outputs, "outputs", []string{line.Score, nets.Prediction},
		"`NODES` that the file gives, of score, prediction, logits and features")
	return cmd
}

// exportFacts returns the metadata of the exported file.
func exportFacts(det *line.Detector, n nets.Classifier) (map[string]string, error) {
	facts := map[string]string{"goline.network": n.Name(), "goline.fingerprint": line.Fingerprint(det.Network())}
	for key, value := range map[string]any{onnx.PreprocessingKey: n.Preprocessing(),
		"goline.line": det.Options().Params()} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		facts[key] = string(text)
	}
	if t, err := det.FitThreshold(); err == nil {
		facts["goline.threshold_fit_95"] = strconv.FormatFloat(t, 'g', -1, 64)
	}
	if c, err := det.Calibrator(); err == nil && c.PerClass() == nil {
		t, err := c.Thresholds(c.Options().Alpha)
		if err != nil {
			return nil, err
		}
		facts["goline.threshold_calibrated"] = strconv.FormatFloat(t[0].Score, 'g', -1, 64)
		facts["goline.threshold_calibrated_alpha"] = strconv.FormatFloat(t[0].Alpha, 'g', -1, 64)
	}
	return facts, nil
}
