package onnx_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/nets/onnx"
)

// TestSpeed runs one worker over 24 images with each of several batch sizes, and logs the shortest time per image and
// the times of the kinds of operations. It runs on the ONNX files that the variable SPEED lists, separated by commas.
func TestSpeed(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("set SPEED=file.onnx")
	}
	batches := []int{1, 8}
	if s := os.Getenv("SPEED_BATCH"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		batches = []int{n}
	}
	for _, file := range strings.Split(os.Getenv("SPEED"), ",") {
		net, err := onnx.Open(file, onnx.Options{Input: []int{3, 224, 224}})
		require.NoError(t, err)
		x := formula(24 * product(net.InputShape()...))
		for _, batch := range batches {
			p, err := graph.Compile(net, graph.Options{Batch: batch, Workers: 1, Profile: true})
			require.NoError(t, err)
			shortest := time.Hour
			for range 5 {
				start := time.Now()
				for _, err := range p.Run(context.Background(), nettest.Stream(graph.Batch{N: 24, X: x})) {
					require.NoError(t, err)
				}
				shortest = min(shortest, time.Since(start))
			}
			fmt.Printf("%s, batch %d: %.2f ms an image\n", file, batch, float64(shortest.Microseconds())/24e3)
			for _, o := range p.Profile() {
				fmt.Printf("  %-40s ×%-4d %8.3f ms an image\n", o.Name, o.Nodes, o.Time.Seconds()*1e3/(5*24))
			}
		}
	}
}
