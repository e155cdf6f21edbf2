// Package cuda runs goline's kernels on NVIDIA graphics cards. [Open] opens the driver, libcuda.so.1, so a program that
// never asks for a card needs neither driver nor toolkit, and cgo is not needed at all. The kernels are PTX for compute
// capability 7.0, which the driver compiles for the card at hand; every card since Volta can run it. See
// kernels/README.md for how the PTX is made.
//
// The package knows nothing of graphs: package graph decides what runs. Package emu contains a driver for tests that
// needs no card.
package cuda
