package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The properties that the tests check on random input are also fuzz targets. So every kernel is fuzzed against its
// generic form or against a reference in float64.

// fuzzAtLevels fuzzes a property at every level of the CPU.
func fuzzAtLevels(f *testing.F, property func(*rapid.T)) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		for _, name := range Levels() {
			restore, err := ForceLevel(name)
			require.NoError(t, err)
			func() {
				defer restore()
				property(t)
			}()
		}
	}))
}

func FuzzConvForward(f *testing.F)        { fuzzAtLevels(f, propConvForward[float32](eps32)) }
func FuzzConvBackwardInput(f *testing.F)  { fuzzAtLevels(f, propConvBackwardInput[float32](eps32)) }
func FuzzConvBackwardWeight(f *testing.F) { fuzzAtLevels(f, propConvBackwardWeight[float32](eps32)) }
func FuzzWinograd(f *testing.F)           { fuzzAtLevels(f, propWinograd) }
func FuzzElementwise(f *testing.F)        { fuzzAtLevels(f, propElementwise[float32](eps32)) }
func FuzzLinear(f *testing.F)             { fuzzAtLevels(f, propLinear[float32](eps32)) }
func FuzzRouted(f *testing.F)             { fuzzAtLevels(f, propRouted[float32](eps32)) }
func FuzzBatchNorm(f *testing.F)          { fuzzAtLevels(f, propBatchNorm[float32](1e-6)) }
func FuzzMaxPool(f *testing.F)            { fuzzAtLevels(f, propMaxPool) }
func FuzzAvgPool(f *testing.F)            { fuzzAtLevels(f, propAvgPool[float32](eps32)) }

// These properties compare the levels themselves, so they run once.

func FuzzConvTwins(f *testing.F)      { f.Fuzz(rapid.MakeFuzz(propConvTwins)) }
func FuzzWinogradBack(f *testing.F)   { f.Fuzz(rapid.MakeFuzz(propWinogradBack)) }
func FuzzWinogradFour(f *testing.F)   { f.Fuzz(rapid.MakeFuzz(propWinogradFour)) }
func FuzzTileTwins(f *testing.F)      { f.Fuzz(rapid.MakeFuzz(propTileTwins)) }
func FuzzDepthwiseTwins(f *testing.F) { f.Fuzz(rapid.MakeFuzz(propDepthwiseTwins)) }
