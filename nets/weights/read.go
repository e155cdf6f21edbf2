package weights

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"github.com/line-ood/goline/internal/fsfile"
)

// Read reads all tensors of a file. The format is recognised by content, not by name:
//
//   - PyTorch's zip format, as torch.save writes it since version 1.6, and the one before. The state dict may be the
//     saved object itself or lie under one of the keys state_dict, model_state_dict, model, net, network,
//     state_dict_ema and model_ema, tried in this order, each only if it holds tensors. Everything else in the file is
//     ignored. Views and shared storages are resolved; every tensor gets its own memory.
//   - safetensors.
//   - npz with one numeric array for each tensor.
//
// The prefixes "module." and "_orig_mod.", which wrappers for parallel training and compilation put before every name,
// are removed if all names have them. Old names in torchvision's first files of DenseNet and of vision transformers,
// such as denselayer1.norm.2.weight and mlp.linear_1.weight, become today's: denselayer1.norm2.weight, mlp.0.weight.
// Half precision, bfloat16 and double become float32; integers and booleans become int64.
//
// Errors name the path and, if it is about one, the tensor. If the file has another format, the error names that and
// wraps [ErrFormat].
func Read(path string) (*StateDict, error) { return ReadFS(fsfile.Disk(), path) }

// ReadFS is [Read] for a file in fsys, such as an embedded one.
func ReadFS(fsys fs.FS, name string) (*StateDict, error) {
	sd, err := readFile(fsys, name)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) && pe.Path == name {
			err = pe.Err // the message names the path already
		}
		return nil, fmt.Errorf("read weights %s: %w", name, err)
	}
	return sd, nil
}

// ReadFrom is [Read] for the first size bytes of r. name stands for the path in errors.
func ReadFrom(r io.ReaderAt, size int64, name string) (*StateDict, error) {
	sd, err := read(r, size)
	if err != nil {
		return nil, fmt.Errorf("read weights %s: %w", name, err)
	}
	return sd, nil
}

// maxStreamed is the largest size of a file that can only be read from start to end, and so is held in memory: 16 GiB.
const maxStreamed = 16 << 30

func readFile(fsys fs.FS, name string) (*StateDict, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := fsfile.Open(fsys, name, info.Size(), maxStreamed)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f, info.Size())
}

// read reads a file of the given size. A panic of a parser becomes an error.
func read(r io.ReaderAt, size int64) (sd *StateDict, err error) {
	defer func() {
		if p := recover(); p != nil {
			sd, err = nil, fmt.Errorf("malformed file: %s", fsfile.GaveUp(p))
		}
	}()
	kind, err := detect(r, size)
	if err != nil {
		return nil, err
	}
	switch kind {
	case zipFormat:
		sd, err = readZip(r, size)
	case legacyFormat:
		sd, err = readLegacy(r, size)
	default:
		sd, err = readSafetensors(r, size)
	}
	if err != nil {
		return nil, err
	}
	if sd.Len() == 0 {
		return nil, errors.New("the file holds no tensors")
	}
	return sd.stripped().modernised(), nil
}

// readZip reads a zip archive: PyTorch's format or npz.
func readZip(r io.ReaderAt, size int64) (*StateDict, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("zip archive, cut off or damaged: %w", err)
	}
	names := map[string]bool{}
	npy, packed := 0, uint64(0)
	for _, f := range z.File {
		if packed += f.CompressedSize64; f.CompressedSize64 > uint64(size) || packed > uint64(size) {
			return nil, errors.New("zip archive is damaged: its members overlap")
		}
		names[f.Name[strings.LastIndexByte(f.Name, '/')+1:]] = true
		if strings.HasSuffix(f.Name, ".npy") {
			npy++
		}
	}
	if err := fsfile.CheckZipNames(r, z.File); err != nil {
		return nil, err
	}
	switch {
	case names["constants.pkl"] || names["bytecode.pkl"]:
		return nil, formatError("a TorchScript archive is not supported: " + resave)
	case names["data.pkl"]:
		return readTorch(z, size)
	case names["model.weights.h5"]:
		return nil, formatError("a Keras archive is not supported: " + exportHint)
	case npy == 0:
		return nil,
			formatError("zip archive: expected data.pkl of a PyTorch checkpoint or *.npy of npz, got neither")
	}
	return readNpz(r, size)
}

// wrapperPrefixes are the prefixes that training wrappers put before every name.
var wrapperPrefixes = [...]string{"module.", "_orig_mod."}

// stripped removes wrapper prefixes that all names have, in any order and number.
func (sd *StateDict) stripped() *StateDict {
	for again := true; again; {
		again = false
		for _, prefix := range wrapperPrefixes {
			if !sd.allHave(prefix) {
				continue
			}
			again = true
			index := make(map[string]int, len(sd.tensors))
			for i := range sd.tensors {
				sd.tensors[i].Name = sd.tensors[i].Name[len(prefix):]
				index[sd.tensors[i].Name] = i
			}
			sd.index = index
		}
	}
	return sd
}

// oldNames lists patterns of names in torchvision's first files of DenseNet (2017, before PyTorch 0.4 forbade dots in
// them) and of vision transformers (2021), with the names into which torchvision itself changes them.
var oldNames = [...]struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`^((?:.*\.)?denselayer\d+\.(?:norm|conv))\.([12]\.(?:weight|bias|running_mean|running_var))$`),
		"$1$2"},
	{regexp.MustCompile(`^((?:.*\.)?encoder_layer_\d+\.mlp)\.linear_1\.(weight|bias)$`), "$1.0.$2"},
	{regexp.MustCompile(`^((?:.*\.)?encoder_layer_\d+\.mlp)\.linear_2\.(weight|bias)$`), "$1.3.$2"},
}

// modernised gives the layers in torchvision's old files their present names, unless one of these is taken.
func (sd *StateDict) modernised() *StateDict {
	renamed := make(map[string]int, len(sd.tensors))
	names := make([]string, len(sd.tensors))
	changed := false
	for i, t := range sd.tensors {
		names[i] = t.Name
		for _, old := range oldNames {
			names[i] = old.pattern.ReplaceAllString(names[i], old.name)
		}
		changed = changed || names[i] != t.Name
		renamed[names[i]] = i
	}
	if !changed || len(renamed) < len(names) {
		return sd
	}
	for i, name := range names {
		sd.tensors[i].Name = name
	}
	sd.index = renamed
	return sd
}

// allHave tells whether all names start with prefix and go on behind it.
func (sd *StateDict) allHave(prefix string) bool {
	for _, t := range sd.tensors {
		if !strings.HasPrefix(t.Name, prefix) || t.Name == prefix {
			return false
		}
	}
	return len(sd.tensors) > 0
}

// SHA256 returns the SHA-256 digest of a file in hexadecimal.
func SHA256(path string) (string, error) {
	f, err := fsfile.OpenRegular(path)
	if err != nil {
		return "", fmt.Errorf("SHA-256: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("SHA-256: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
