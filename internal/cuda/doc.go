// Package cuda runs kernels of its own on NVIDIA cards. The driver, libcuda.so.1, is opened when [Open] is called, so a
// program that never asks for a card needs neither driver nor toolkit, and no cgo. Kernels are PTX for compute
// capability 7.0, which the driver compiles for the card at hand; every card since Volta takes it. See
// kernels/README.md for how it is made.
//
// Nothing here knows of graphs: package graph decides what runs. Package emu has a driver that needs no card, for
// tests.
package cuda
