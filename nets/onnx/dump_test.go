package onnx_test

import (
	"fmt"
	"os"
	"sort"
	"testing"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets/onnx"
)

func TestDump(t *testing.T) {
	f := os.Getenv("DUMP")
	if f == "" {
		t.Skip()
	}
	net, err := onnx.Open(f, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(net.Notes())
	p, err := graph.Compile(net, graph.Options{Workers: 1, Batch: 2})
	if err != nil {
		t.Fatal(err)
	}
	c := map[string]int{}
	for _, s := range p.Steps() {
		c[s.Label]++
		if os.Getenv("ALL") != "" {
			fmt.Println(s.Label, s.Output.Shape)
		}
	}
	var k []string
	for n := range c {
		k = append(k, n)
	}
	sort.Strings(k)
	for _, n := range k {
		fmt.Println(c[n], n)
	}
}
