package command

import (
	"runtime/debug"
	"strings"

	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// Provenance returns the metadata of a file that say what its numbers come from.
func Provenance(net nets.Classifier, what, data string) map[string]string {
	return map[string]string{
		"content": what, "version": ReadBuild().Release(), "network": net.Name(),
		"network_fingerprint": line.Fingerprint(net),
		"preprocessing":       net.Preprocessing().String(), "data": data,
	}
}

// Build is what the program's file says of its own making.
type Build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`     // of the revision, RFC 3339
	Modified bool   `json:"modified,omitempty"` // whether files differed from the revision
	Tags     string `json:"tags,omitempty"`     // build tags
	Cgo      bool   `json:"cgo"`
	Gorgonia string `json:"gorgonia,omitempty"`
}

// ReadBuild returns the description of the running program. Its version is "unknown" where the program's file has none.
func ReadBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Build{Version: "unknown"}
	}
	return NewBuild(info)
}

// NewBuild returns the description that Go's build information holds.
func NewBuild(info *debug.BuildInfo) Build {
	b := Build{Version: info.Main.Version}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		case "-tags":
			b.Tags = s.Value
		case "CGO_ENABLED":
			b.Cgo = s.Value == "1"
		}
	}
	for _, d := range info.Deps {
		if d.Path == "gorgonia.org/gorgonia" {
			b.Gorgonia = d.Version
		}
	}
	return b
}

// Release returns the version, followed by the revision unless the version contains it.
func (b Build) Release() string {
	if b.Revision == "" || len(b.Revision) >= 12 && strings.Contains(b.Version, b.Revision[:12]) {
		return b.Version
	}
	return b.Version + " " + b.Revision
}
