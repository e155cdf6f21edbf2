package kernel

import (
	"testing"

	"pgregory.net/rapid"
)

// The properties that the tests check at random are fuzz targets too, at the best level of the CPU.

func FuzzConvForward(f *testing.F) { f.Fuzz(rapid.MakeFuzz(propConvForward[float32](eps32))) }
func FuzzConvBackwardInput(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(propConvBackwardInput[float32](eps32)))
}
func FuzzConvBackwardWeight(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(propConvBackwardWeight[float32](eps32)))
}
func FuzzConvTwins(f *testing.F)   { f.Fuzz(rapid.MakeFuzz(propConvTwins)) }
func FuzzElementwise(f *testing.F) { f.Fuzz(rapid.MakeFuzz(propElementwise[float32](eps32))) }
func FuzzLinear(f *testing.F)      { f.Fuzz(rapid.MakeFuzz(propLinear[float32](eps32))) }
func FuzzRouted(f *testing.F)      { f.Fuzz(rapid.MakeFuzz(propRouted[float32](eps32))) }
func FuzzGemm(f *testing.F)        { f.Fuzz(rapid.MakeFuzz(propGemm[float32](eps32))) }
func FuzzBatchNorm(f *testing.F)   { f.Fuzz(rapid.MakeFuzz(propBatchNorm[float32](1e-6))) }
