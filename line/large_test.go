package line_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/linalg"
	"github.com/line-ood/goline/line/posthoc"
)

// TestLarge times every method at the size of ImageNet's head, with 50,000 random samples to fit. Values that methods
// need besides features and logits are made up too; the network's time is not included. SPEED names the methods,
// separated by commas, or is "all": SPEED=knn,vim go test -v -run TestLarge -timeout 1h ./line
func TestLarge(t *testing.T) {
	methods := os.Getenv("SPEED")
	if methods == "" {
		t.Skip("takes minutes: set SPEED")
	}
	names := strings.Split(methods, ",")
	if methods == "all" {
		names = slices.DeleteFunc(posthoc.Names(), func(name string) bool {
			k, err := posthoc.LookUp(name)
			return err == nil && k.Slow
		})
	}
	const classes, dim, fit, test = 1000, 2048, 50_000, 1_000
	rng := rand.New(rand.NewPCG(1, 2))
	head := posthoc.Head{Classes: classes, FeatureDim: dim, Weight: make([]float32, classes*dim),
		Bias: make([]float32, classes)}
	for i := range head.Weight {
		head.Weight[i] = float32(rng.NormFloat64() * 0.03)
	}
	made := func(n int) posthoc.Samples {
		s := posthoc.Samples{N: n, FeatureDim: dim, Classes: classes, Features: make([]float32, n*dim),
			Logits: make([]float32, n*classes), Labels: make([]int, n)}
		weight := linalg.NewMatrix(head.Weight, classes, dim)
		z, l := make([]float64, 100*dim), make([]float64, 100*classes)
		for at := 0; at < n; at += 100 {
			for i := range 100 {
				c := (at + i) % classes
				s.Labels[at+i] = c
				for d := range dim {
					v := max(0, 0.5*rng.NormFloat64()+4*float64(head.Weight[c*dim+d])+0.2)
					z[i*dim+d], s.Features[(at+i)*dim+d] = float64(float32(v)), float32(v)
				}
			}
			require.NoError(t, weight.MulTransposed(t.Context(), l, z, 100, 2))
			for i, v := range l {
				s.Logits[at*classes+i] = float32(v)
			}
		}
		return s
	}
	id, more := made(fit), made(test)
	for _, name := range names {
		m, err := posthoc.New(name, posthoc.Options{})
		require.NoError(t, err)
		id.Extra, more.Extra = extraLike(m, id), extraLike(m, more)
		debug.FreeOSMemory()
		var memory runtime.MemStats
		start := time.Now()
		require.NoError(t, m.Fit(t.Context(), head, id))
		fitted := time.Since(start)
		runtime.ReadMemStats(&memory)
		dst := make([]float64, test)
		start = time.Now()
		require.NoError(t, m.Score(t.Context(), more, dst))
		t.Logf("%-10s fit %6.2f s, score %7.3f ms a sample, %5.0f MB learned, %5.0f MB heap", name, fitted.Seconds(),
			time.Since(start).Seconds()*1e3/test, bytesOf(m)/1e6, float64(memory.HeapSys-memory.HeapReleased)/1e6)
	}
}

// extraLike makes up the values that a method needs of each sample: logits where it needs logits of another image,
// features otherwise.
func extraLike(m posthoc.Method, s posthoc.Samples) map[string]posthoc.Extra {
	needing, ok := m.(posthoc.Needing)
	if !ok {
		return nil
	}
	out := map[string]posthoc.Extra{}
	for _, name := range needing.Needs() {
		out[name] = posthoc.Extra{Width: s.FeatureDim, Values: s.Features}
		if strings.Contains(name, "logits") {
			out[name] = posthoc.Extra{Width: s.Classes, Values: s.Logits}
		}
	}
	return out
}

func bytesOf(m posthoc.Method) float64 {
	if sized, ok := m.(posthoc.Sizer); ok {
		return float64(sized.Bytes())
	}
	return 0
}
