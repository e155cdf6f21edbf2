// Package demo embeds the pictures and the weights of goline's demo, files that only a package in their own folder can
// embed. README.md beside it says where each comes from. Package dataset/demo reads them.
package demo

import "embed"

// Files holds the gzipped idx files of the pictures and weights.npz.
//
//go:embed *.gz weights.npz
var Files embed.FS
