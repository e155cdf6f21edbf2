// Command goline is goline with object stores: wherever a file or DATA is expected, s3://BUCKET/KEY, gs://, azblob://,
// file:// and mem:// will do.
package main

import (
	"os"

	_ "github.com/line-ood/goline/cloud/blobs" // the stores
	"github.com/line-ood/goline/internal/cli"
)

func main() { os.Exit(cli.Main()) }
