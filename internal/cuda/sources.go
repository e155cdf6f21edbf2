//go:build linux && (amd64 || arm64) && !nocuda

package cuda

import "embed"

//go:embed kernels/*.ptx
var sources embed.FS
