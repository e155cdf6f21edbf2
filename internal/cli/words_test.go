package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/sharedtest"
)

// TestNamesThatAreNotThere: a name that a flag gives and a network or the formats of data do not have is an error of
// the command line, although a file had to be read to find that out.
func TestNamesThatAreNotThere(t *testing.T) {
	w := newWorld(t)
	onnx := sharedtest.Path(t, "onnx/cifar10_resnet20.onnx")
	for _, tc := range []struct {
		want string
		args []string
	}{
		{`no node is named "foo"; there are`, []string{"graph", "--net", worldNet, "--fetch", "foo"}},
		{`no tapped node is named "foo" to start from`, []string{"graph", "--net", worldNet, "--from", "foo"}},
		{`unknown format "foo": expected one of`, w.eval("--id", "foo:x")},
		{`unknown format "foo": expected one of`, []string{"inspect", "foo:x"}},
		{`no node and no tensor is named "foo"`, []string{"inspect", "--net", onnx, "--features", "foo"}},
		{`no node and no tensor is named "foo"`, []string{"inspect", "--net", onnx, "--logits", "foo"}},
	} {
		code, _, stderr := runGoline(tc.args...)
		require.Contains(t, stderr, tc.want, tc.args)
		require.Equal(t, exitUsage, code, tc.args)
	}
}
