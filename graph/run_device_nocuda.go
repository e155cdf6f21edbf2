//go:build !cuda

package graph

const cudaBuilt = false
