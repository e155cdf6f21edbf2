// Package reliability tests the whole program against damaged files of every format, against signals at random moments,
// with several processes on one folder, and over long runs in one process. The numbers of trials are small;
// .ci/damages, .ci/faults and .ci/soak raise them by environment variables.
package reliability
