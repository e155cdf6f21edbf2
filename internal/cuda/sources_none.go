//go:build !(linux && (amd64 || arm64)) || nocuda

package cuda

import "embed"

var sources embed.FS // empty: this build has no driver that could run kernels
