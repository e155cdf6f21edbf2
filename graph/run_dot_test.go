package graph_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// awkward is a name with all the characters that have a meaning in Graphviz.
const awkward = "a\"b\\c\nd<e>{f|g}\\N;é\r\x00"

func dotModel(tap string) *model {
	m := &model{shape: []int{2, 4, 4}, outputs: []string{tap, "class"}}
	r := newRand(1)
	m.param("conv.weight", graphtest.Normal(r, 3, 2, 3, 3))
	newNorm(m, r, "norm", 3)
	m.build = func(b *graph.Builder, x *G.Node) error {
		y := b.Tap(tap, b.GlobalAvgPool(b.ReLU(b.BatchNorm(b.Conv(x, "conv", graph.ConvConfig{}), "norm", 1))))
		b.Tap("unused", b.ReLU(y))
		b.TapOnDemand("class", func() (*G.Node, error) {
			class, err := graph.ArgMax(b.Add(y, b.Input("offset", 3)))
			if err != nil {
				return nil, err
			}
			return graph.SelectClass(b.Labels(), class)
		})
		return b.Err()
	}
	return m
}

func dotOf(t *testing.T, m *model, o graph.Options) string {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, compile(t, m, o).DOT(&buf))
	return buf.String()
}

// TestDOT compares with testdata/small.dot; GOLINE_UPDATE=1 writes it anew.
func TestDOT(t *testing.T) {
	got := dotOf(t, dotModel("features"), graph.Options{})
	if os.Getenv("GOLINE_UPDATE") == "1" {
		require.NoError(t, os.WriteFile("testdata/small.dot", []byte(got), 0o644))
	}
	want, err := os.ReadFile("testdata/small.dot")
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// TestDOTIsWellFormed checks the drawing line by line, for plain and awkward names, and for a program that starts at a
// tap.
func TestDOTIsWellFormed(t *testing.T) {
	node := regexp.MustCompile(`^  n(\d+) \[label="((?:[^"\\]|\\.)*)"[^"]*("[^"]*"[^"]*)*\];$`)
	edge := regexp.MustCompile(`^  n(\d+) -> n(\d+);$`)
	for _, c := range []struct {
		tap, label string
		o          graph.Options
	}{
		{"features", `features\n`, graph.Options{}},
		{awkward, `a\"b\\c\nd<e>{f|g}\\N;é\n`, graph.Options{}},
		{"features", `features\n`, graph.Options{From: "features"}},
	} {
		lines := strings.Split(strings.TrimSuffix(dotOf(t, dotModel(c.tap), c.o), "\n"), "\n")
		require.Equal(t, "digraph goline {", lines[0])
		require.Equal(t, "}", lines[len(lines)-1])
		nodes, labels, edges := map[string]bool{}, "", 0
		for _, line := range lines[3 : len(lines)-1] {
			if n := node.FindStringSubmatch(line); n != nil {
				require.False(t, nodes[n[1]])
				nodes[n[1]] = true
				labels += n[2] + "\n"
				continue
			}
			e := edge.FindStringSubmatch(line)
			require.NotNil(t, e, "%q", line)
			require.True(t, nodes[e[1]] && nodes[e[2]], "%q", line)
			edges++
		}
		require.Contains(t, labels, c.label)
		require.NotContains(t, labels, "unused")
		require.GreaterOrEqual(t, edges, len(nodes)-1)
		if path, err := exec.LookPath("dot"); err == nil {
			cmd := exec.Command(path, "-Tsvg")
			cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
			require.NoError(t, cmd.Run())
		}
	}
	require.Contains(t, dotOf(t, dotModel("features"), graph.Options{From: "features", Fetch: []string{"class"}}),
		`label="features\n8×3", fillcolor=lightblue`)
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func TestDOTReportsWriteErrors(t *testing.T) {
	require.ErrorContains(t, compile(t, dotModel("f"), graph.Options{}).DOT(fullDisk{}), "disk is full")
}
