//go:build tools

// Package tools names the programs that .ci/notebooks installs.
package tools

import (
	_ "github.com/janpfeifer/gonb"
	_ "golang.org/x/tools/cmd/goimports"
)
