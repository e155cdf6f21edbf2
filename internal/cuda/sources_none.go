//go:build !(linux && (amd64 || arm64)) || nocuda

package cuda

import "embed"

var sources embed.FS // no driver could take them
