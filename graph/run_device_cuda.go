//go:build cuda

package graph

const cudaBuilt = true
