// Command goline finds out-of-distribution inputs of an image classifier by LINe. See goline help.
package main

import (
	"os"

	"github.com/line-ood/goline/internal/cli"
)

func main() { os.Exit(cli.Main()) }
