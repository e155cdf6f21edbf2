package cli

import (
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// provenance returns the metadata of a file that say what its numbers come from.
func provenance(net nets.Classifier, what, data string) map[string]string {
	return map[string]string{
		"content": what, "version": readVersion().release(), "network": net.Name(),
		"network_fingerprint": line.Fingerprint(net),
		"preprocessing":       net.Preprocessing().String(), "data": data,
	}
}
