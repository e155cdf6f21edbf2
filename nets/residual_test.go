package nets_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/nets"
)

// trained returns the number of parameter values that are not in buffers.
func trained(n *nets.Network) int {
	count := 0
	for _, p := range n.Params() {
		if !p.Buffer {
			count += len(p.Float32s())
		}
	}
	return count
}

func TestResidualNetworksHaveTheKnownSizes(t *testing.T) {
	for _, c := range []struct {
		name     string
		features int
		want     int
	}{
		// He et al., table 6, says 0.27 M: 269,722 with shortcuts without parameters. Two projections with batch norm
		// add 2,752.
		{"resnet-cifar-20-16", 64, 272_474},
		// With shortcuts without parameters, and the published names: 0.27 M and 1.7 M in table 6.
		{"resnet20", 64, 269_722},
		{"resnet110", 64, 1_727_962},
		// Zagoruyko and Komodakis, table 5: 2.2 M and 2.7 M.
		{"wrn-40-2", 128, 2_243_546},
		{"wrn-16-4", 256, 2_748_890},
		{"wrn-16-4-d0.3", 256, 2_748_890},
	} {
		n, err := nets.New(c.name, 10)
		require.NoError(t, err)
		require.Equal(t, c.name, n.Name(), "the name leads back to the network")
		require.Equal(t, c.want, trained(n), c.name)
		require.Equal(t, c.features, n.FeatureDim())
		require.Equal(t, []int{3, 32, 32}, n.InputShape())
	}
	n, err := nets.New("resnet-fashion-8-24", 10)
	require.NoError(t, err)
	require.Equal(t, []int{3, 28, 28}, n.InputShape())
	require.Equal(t, 28, n.Preprocessing().Crop)
	w, b := n.Head()
	require.Equal(t, []int{10, 96}, w.Shape())
	require.Equal(t, []int{10}, b.Shape())
}

func TestResidualNetworksRefuse(t *testing.T) {
	for name, want := range map[string]string{
		"resnet-cifar-9-16": "depth of 6n+2 with n ≥ 1, got 9", "resnet-cifar-2-16": "depth of 6n+2 with n ≥ 1, got 2",
		"resnet-fashion-8-0": "expected a width of at least 1, got 0", "wrn-12-2": "depth of 6n+4 with n ≥ 1, got 12",
		"wrn-4-2": "depth of 6n+4 with n ≥ 1, got 4", "wrn-10-0": "expected a widening factor of at least 1, got 0",
		"wrn-10-2-d1.5": "expected a dropout rate in [0, 1), got 1.5",
	} {
		_, err := nets.New(name, 10)
		require.ErrorContains(t, err, want, name)
	}
	for _, f := range []func() error{
		func() error { _, err := nets.SmallResNet(nets.SmallResNetConfig{Depth: 8, Width: 4}); return err },
		func() error { _, err := nets.WideResNet(nets.WideResNetConfig{Depth: 10, Widen: 1}); return err },
	} {
		require.ErrorContains(t, f(), "expected at least 1 class, got 0")
	}
	for _, f := range []func() error{ // must end before 2^50 layers are added
		func() error {
			_, err := nets.SmallResNet(nets.SmallResNetConfig{Depth: 6*(math.MaxInt>>13) + 2, Width: 1000, Classes: 2})
			return err
		},
		func() error {
			_, err := nets.WideResNet(nets.WideResNetConfig{Depth: 6*(math.MaxInt>>13) + 4, Widen: 100, Classes: 2})
			return err
		},
	} {
		require.ErrorContains(t, f(), "more than 1073741824 parameter values")
	}
}
