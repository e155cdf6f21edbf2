package line_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/line"
)

// TestOtherFilesAreNamed loads files of other kinds than archives as detectors.
func TestOtherFilesAreNamed(t *testing.T) {
	header := []byte(`{"fc.weight":{}}`)
	tensors := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	for want, data := range map[string][]byte{
		"it is a pickle, as PyTorch files before 1.6 are": []byte("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."),
		"it is a safetensors file":                        tensors,
		"it is an ONNX model":                             []byte("\x08\x08\x12\x07pytorch"),
		"it is a NumPy array (.npy)":                      []byte("\x93NUMPY\x01\x00v\x00{"),
		"it is JSON":                                      []byte(`{"methods": []}`),
		"it is empty":                                     nil,
		"it is compressed by gzip":                        []byte("\x1f\x8b\x08"),
		"it is a picture":                                 []byte("\x89PNG\r\n\x1a\n"),
		"it is a Parquet file":                            []byte("PAR1"),
		"not a valid zip file":                            []byte("some text that tells nothing"),
		"valid zip file":                                  []byte("PK\x03\x04 cut off"),
	} {
		path := filepath.Join(t.TempDir(), "det.npz")
		require.NoError(t, os.WriteFile(path, data, 0o666))
		_, err := line.Load(path)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
		_, err = line.Read(bytes.NewReader(data), int64(len(data)), "det")
		require.ErrorContains(t, err, want)
	}
	for file, want := range map[string]string{
		"checkpoints/cifar10_resnet20.th":                "it is a pickle",
		"checkpoints/cifar10_densenet_bc_100_12.pth.tar": "PyTorch",
		"onnx/cifar10_resnet20.onnx":                     "it is an ONNX model",
		"onnx/efficientnet_lite0.onnx":                   "it is an ONNX model",
	} {
		_, err := line.Load(sharedtest.Path(t, file))
		require.ErrorContains(t, err, want)
	}
}
