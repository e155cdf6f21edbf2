package onnx

import (
	"crypto/sha256"
	"fmt"
	"io/fs"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"google.golang.org/protobuf/proto"

	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/nets"
)

// PreprocessingKey is the metadata property in which a file says how to preprocess its images: JSON, as
// [nets.Preprocessing] writes it.
const PreprocessingKey = "goline.preprocessing"

// Options returns the options with which the file was read. If the caller left Preprocessing out, it is the file's own.
func (n *Network) Options() Options {
	o := n.options
	o.Preprocessing = n.preprocessing
	return o
}

// File returns the ONNX file that the network was read from, including its external data, so that [Read] needs no
// folder. It is an error if the file on disk has changed since [Open]. New values of parameters are not in the file.
func (n *Network) File() ([]byte, error) {
	data, err := n.source()
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", n.name, err)
	}
	return data, nil
}

// fromPath returns a function that reads the file at a path again, and fails unless it still has the given bytes.
func fromPath(path string, data []byte) func() ([]byte, error) {
	sum := sha256.Sum256(data)
	return func() ([]byte, error) {
		data, err := fsfile.ReadRegular(path)
		if err != nil {
			return nil, err
		}
		if sha256.Sum256(data) != sum {
			return nil, fmt.Errorf("%s has changed since it was read", path)
		}
		folder, done, err := fsfile.Folder(path)
		if err != nil {
			return nil, err
		}
		defer done()
		return whole(data, folder)
	}
}

// whole returns a file with its external data included. Without external data it returns the bytes as they are.
func whole(data []byte, folder fs.FS) ([]byte, error) {
	m := &pb.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, err
	}
	in := inliner{folder: external{folder}}
	if err := in.graph(m.Graph); err != nil {
		return nil, err
	}
	for _, f := range m.Functions {
		if err := in.nodes(f.Node); err != nil {
			return nil, err
		}
	}
	if !in.changed {
		return data, nil
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// inliner replaces references to external data by the data.
type inliner struct {
	folder  external
	changed bool
}

func (in *inliner) graph(g *pb.GraphProto) error {
	for _, t := range g.GetInitializer() {
		if err := in.tensor(t); err != nil {
			return fmt.Errorf("tensor %q: %w", t.GetName(), err)
		}
	}
	return in.nodes(g.GetNode())
}

func (in *inliner) nodes(nodes []*pb.NodeProto) error {
	for _, n := range nodes {
		for _, a := range n.GetAttribute() {
			if a.T != nil {
				if err := in.tensor(a.T); err != nil {
					return fmt.Errorf("node %q, attribute %q: %w", n.GetName(), a.GetName(), err)
				}
			}
			if a.G != nil {
				if err := in.graph(a.G); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (in *inliner) tensor(t *pb.TensorProto) error {
	if t.GetDataLocation() != pb.TensorProto_EXTERNAL {
		return nil
	}
	e, _, n, err := typeOf(t)
	if err != nil {
		return err
	}
	raw, err := in.folder.read(t.ExternalData, int64(n)*int64(e.size()))
	if err != nil {
		return err
	}
	t.RawData, t.ExternalData, t.DataLocation = raw, nil, pb.TensorProto_DEFAULT
	in.changed = true
	return nil
}

// preprocessingOf returns the preprocessing that the caller gives or, if the caller gives none, that of the file.
func preprocessingOf(f *file, o Options, input []int) (p nets.Preprocessing, err error) {
	p = o.Preprocessing
	if text, ok := f.metadata[PreprocessingKey]; ok && p == (nets.Preprocessing{}) {
		if err := p.UnmarshalJSON([]byte(text)); err != nil {
			return p, fmt.Errorf("metadata %q: %w", PreprocessingKey, err)
		}
	}
	if p == (nets.Preprocessing{}) {
		return p, nil
	}
	if err := p.Check(); err != nil {
		return p, fmt.Errorf("preprocessing: %w", err)
	}
	return p, p.Fits(input)
}

// Metadata returns the metadata properties of an ONNX file, even of one whose graph cannot be read. For a file that
// [Export] wrote they are those of [ExportOptions].
func Metadata(data []byte) (map[string]string, error) {
	m := &pb.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("onnx: not a whole ONNX model: %w", err)
	}
	properties := map[string]string{}
	for _, p := range m.MetadataProps {
		properties[p.GetKey()] = p.GetValue()
	}
	return properties, nil
}
