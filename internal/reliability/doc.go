// Package reliability tests the whole program against what a stranger's files, signals and other processes do to it:
// damaged files of every format, commands killed at random moments, folders shared by processes, and long runs in one
// process. The numbers of trials are small unless environment variables raise them; .ci/damages, .ci/faults and
// .ci/soak do.
package reliability
