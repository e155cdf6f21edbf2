//go:build !amd64 || noasm

package kernel

func newBFPlan(bfLevel, ConvGeom) bfEngine { return nil }
