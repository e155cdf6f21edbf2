package command

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// Sharding holds the flag that makes a command process only a part (shard) of its images, so that several processes can
// share them.
type Sharding struct {
	text  string
	shard dataset.Shard
}

// Register adds the flag to a command.
func (s *Sharding) Register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.text, "shard", "",
		"work on shard `I/N` of the images alone, I from 0 to N-1; goline merge puts the files of all shards together")
}

// Given tells whether the flag was given.
func (s *Sharding) Given() bool { return s.text != "" }

// Check fails for a value of the flag that names no shard.
func (s *Sharding) Check() (err error) {
	if !s.Given() {
		return nil
	}
	if s.shard, err = dataset.ParseShard(s.text); err != nil {
		return UsageError{Err: fmt.Errorf("--shard: %w", err)}
	}
	return nil
}

// Take returns the shard's images of a set, and which part of the set they are. Without the flag it returns the whole
// set, and nil. made identifies everything but the images that the result depends on, so that only parts of one result
// are merged. Closing the returned set closes set.
func (s *Sharding) Take(set dataset.Dataset, made string) (dataset.Dataset, *dataset.Extent, error) {
	if !s.Given() {
		return set, nil, nil
	}
	part, e, err := dataset.Sharded(set, s.shard, made)
	if err != nil {
		return nil, nil, fmt.Errorf("--shard %s: %w", s.text, err)
	}
	return part, &e, nil
}

// MadeBy returns a text that identifies what a result depends on: the network, the preprocessing of its images, and
// more.
func MadeBy(net nets.Classifier, more string) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s", line.Fingerprint(net), net.Preprocessing(), more))
	return net.Name() + " " + hex.EncodeToString(h[:8])
}
