package command

import (
	"io"

	"github.com/line-ood/goline/dataset"
)

// StreamedData is the DATA argument for a tar archive on standard input. Commands that read images once take it.
const StreamedData = "tar:-"

// Streamed returns the images of the archive on standard input.
func Streamed(in io.Reader) *dataset.TarStream { return dataset.ReadTar("standard input", in) }
