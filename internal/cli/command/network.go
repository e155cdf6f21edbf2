package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
)

// Network holds the flags that choose a network. Whatever they may name, every command opens it by [Network.Open],
// [Network.OpenOrNew] or [Network.Detector].
type Network struct{ Name, Weights string }

// Register adds the flags to a command.
func (n *Network) Register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&n.Name, "net", "", "architecture by `NAME`, for example densenet-bc-100-12")
	cmd.Flags().StringVar(&n.Weights, "weights", "", "`FILE` of weights: .pth, .pth.tar, .pt, .safetensors or .npz")
}

// Needs are the flags that Open cannot do without, for [Required].
func (n *Network) Needs() []string { return []string{"--net", n.Name, "--weights", n.Weights} }

// Given tells whether the flags name a network.
func (n *Network) Given() bool { return n.Name != "" || n.Weights != "" }

// Input is the file that Open reads.
func (n *Network) Input() Input { return InputFile("--weights", n.Weights) }

// SHA256 is the digest of the file that Open reads, in hex.
func (n *Network) SHA256() (string, error) { return weights.SHA256(n.Weights) }

// Known fails unless there is an architecture of that name.
func (n *Network) Known() error {
	if _, err := nets.Size(n.Name, 1); err != nil {
		return UsageError{Err: err}
	}
	return nil
}

// Open returns the network with its weights.
func (n *Network) Open() (*nets.Network, error) {
	if err := Required(n.Needs()...); err != nil {
		return nil, err
	}
	if err := n.Known(); err != nil {
		return nil, err
	}
	return nets.Open(n.Name, n.Weights)
}

// OpenOrNew is Open or, where the flags name no weights, returns a network of so many classes whose parameters are zero;
// trained tells which.
func (n *Network) OpenOrNew(classes int) (net *nets.Network, trained bool, err error) {
	if n.Weights != "" {
		net, err = n.Open()
		return net, true, err
	}
	if err := Required("--net", n.Name); err != nil {
		return nil, false, err
	}
	if net, err = nets.New(n.Name, classes); err != nil {
		return nil, false, UsageError{Err: err}
	}
	return net, false, nil
}

// Detector reads a detector, for the flags' network where they name one, with its network.
func (n *Network) Detector(path string) (*line.Detector, *nets.Network, error) {
	if n.Given() {
		net, err := n.Open()
		if err != nil {
			return nil, nil, err
		}
		det, err := line.LoadFor(path, net)
		return det, net, err
	}
	det, err := line.Load(path)
	if err != nil {
		return nil, nil, err
	}
	net, ok := det.Network().(*nets.Network)
	if !ok {
		return nil, nil, fmt.Errorf("%s: network %s has no preprocessing", path, det.Network().Name())
	}
	return det, net, nil
}
