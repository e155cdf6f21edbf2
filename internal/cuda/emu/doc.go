// Package emu gives tests an emulated card: a driver that runs the kernels of package cuda on the processor, compiled
// by g++ from the same sources. It checks more than a card does: memory that is read before it is written is NaN, and
// kernels that write outside of their memory, or whose threads miss a barrier, fail. It cannot check what only a card
// shows: the compilation of PTX, races between threads, and speed.
package emu
