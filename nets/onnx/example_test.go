package onnx_test

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// onnxFile returns the ONNX file of a small residual network, as another program might have written it.
func onnxFile() []byte {
	net, err := nets.New("resnet-cifar-8-4", 10)
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := onnx.Export(&file, net, onnx.ExportOptions{}); err != nil {
		log.Fatal(err)
	}
	return file.Bytes()
}

// A file becomes a network like any other. The file does not say how to preprocess its images, so the caller does.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(path, onnxFile(), 0o600); err != nil {
		log.Fatal(err)
	}
	net, err := onnx.Open(path, onnx.Options{Preprocessing: nets.CIFAR()})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: input %v, %d features, %d classes\n", net.Name(), net.InputShape(), net.FeatureDim(), net.Classes())
	// Output: model.onnx: input [3 32 32], 16 features, 10 classes
}

// A network is exported with the given outputs. Metadata can hold what a reader cannot guess.
func ExampleExport() {
	net, err := nets.New("resnet-cifar-8-4", 10)
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	err = onnx.Export(&file, net, onnx.ExportOptions{Outputs: []string{nets.Logits},
		Metadata: map[string]string{"author": "me"}})
	if err != nil {
		log.Fatal(err)
	}
	facts, err := onnx.Metadata(file.Bytes())
	fmt.Println(facts["author"], err)
	// Output: me <nil>
}
