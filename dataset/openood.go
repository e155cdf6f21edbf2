package dataset

import (
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// OpenOODBenchmark lists the sets of a benchmark of OpenOOD (Zhang et al., OpenOOD v1.5: Enhanced Benchmark for
// Out-of-Distribution Detection, 2023). Each set is a DATA argument for [Open].
type OpenOODBenchmark struct {
	Name       string     // OpenOOD's name of it, "cifar10" for example
	Train, Val string     // in-distribution (ID) pictures to fit to, and to choose parameters with
	Test       string     // ID test pictures
	ValOOD     OpenOODSet // out-of-distribution (OOD) pictures to choose parameters with
	// Near and Far are the OOD test sets, CSID the covariate-shifted ID ones; nil where the benchmark has none.
	Near, Far, CSID []OpenOODSet
	// Missing names those covariate-shifted ID sets of the benchmark that the folder does not contain.
	Missing []string
}

// OpenOODSet is a set of a benchmark: Name is OpenOOD's, Data the argument for [Open].
type OpenOODSet struct{ Name, Data string }

// openOODSet is a set with the name of its list. folder is the folder of the list's paths where it is not the
// benchmark's.
type openOODSet struct{ name, list, folder string }

// openOODBenchmark describes a benchmark. The names of its lists are "train_" + id, "val_" + id and "test_" + id.
type openOODBenchmark struct {
	id, folder      string
	valOOD          openOODSet
	near, far, csid []openOODSet
}

const (
	openOODLists = "benchmark_imglist"
	openOODSmall = "images_classic"
	openOODLarge = "images_largescale"
)

// openOODBenchmarks holds the four detection benchmarks of OpenOOD v1.5.
var openOODBenchmarks = map[string]openOODBenchmark{
	"cifar10": {
		id: "cifar10", folder: openOODSmall, valOOD: openOODSet{name: "tin", list: "val_tin"},
		near: openOODTests("cifar100", "tin"), far: openOODTests("mnist", "svhn", "texture", "places365"),
		csid: openOODTests("cifar10c"),
	},
	"cifar100": {
		id: "cifar100", folder: openOODSmall, valOOD: openOODSet{name: "tin", list: "val_tin"},
		near: openOODTests("cifar10", "tin"), far: openOODTests("mnist", "svhn", "texture", "places365"),
	},
	"imagenet200": {
		id: "imagenet200", folder: openOODLarge, valOOD: openOODSet{name: "openimage_o", list: "val_openimage_o"},
		near: openOODTests("ssb_hard", "ninco"), far: openOODLargeFar,
		csid: []openOODSet{
			{name: "imagenet_v2", list: "test_imagenet200_v2"}, {name: "imagenet_c", list: "test_imagenet200_c"},
			{name: "imagenet_r", list: "test_imagenet200_r"},
		},
	},
	"imagenet": {
		id: "imagenet", folder: openOODLarge, valOOD: openOODSet{name: "openimage_o", list: "val_openimage_o"},
		near: openOODTests("ssb_hard", "ninco"), far: openOODLargeFar,
		csid: openOODTests("imagenet_v2", "imagenet_c", "imagenet_r", "imagenet_es"),
	},
}

// openOODLargeFar holds the far sets of ImageNet's benchmarks. Textures are in the folder of the small pictures.
var openOODLargeFar = []openOODSet{
	{name: "inaturalist", list: "test_inaturalist"}, {name: "textures", list: "test_textures", folder: openOODSmall},
	{name: "openimage_o", list: "test_openimage_o"},
}

// openOODTests returns sets whose lists are named after them.
func openOODTests(names ...string) (sets []openOODSet) {
	for _, name := range names {
		sets = append(sets, openOODSet{name: name, list: "test_" + name})
	}
	return sets
}

// OpenOOD finds a benchmark in a folder with the layout of OpenOOD's downloads: lists in
// root/benchmark_imglist/BENCHMARK, pictures in root/images_classic and root/images_largescale. The benchmarks are
// cifar10, cifar100, imagenet200 and imagenet. It does not check that pictures exist, except for covariate-shifted ID
// sets, which some downloads lack: such a set is left out, and named in Missing, where its list or its first picture
// is missing. An unknown benchmark is an error, and so are other missing lists, which it names.
func OpenOOD(root, benchmark string) (OpenOODBenchmark, error) {
	of, ok := openOODBenchmarks[benchmark]
	if !ok {
		return OpenOODBenchmark{}, fmt.Errorf("OpenOOD benchmark: expected one of %s, got %q",
			strings.Join(slices.Sorted(maps.Keys(openOODBenchmarks)), ", "), benchmark)
	}
	t := disk()
	lists := filepath.Join(root, openOODLists, benchmark)
	var missing []string
	find := func(s openOODSet) OpenOODSet {
		list := filepath.Join(lists, s.list+".txt")
		if _, err := t.regular(list); err != nil {
			missing = append(missing, list)
		}
		return OpenOODSet{s.name, "list:" + list + "+" + filepath.Join(root, s.in(of))}
	}
	b := OpenOODBenchmark{
		Name: benchmark, ValOOD: find(of.valOOD),
		Train: find(openOODSet{list: "train_" + of.id}).Data, Val: find(openOODSet{list: "val_" + of.id}).Data,
		Test: find(openOODSet{list: "test_" + of.id}).Data,
	}
	for _, s := range of.near {
		b.Near = append(b.Near, find(s))
	}
	for _, s := range of.far {
		b.Far = append(b.Far, find(s))
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return OpenOODBenchmark{}, fmt.Errorf("OpenOOD: %s: benchmark %s lacks the lists %s: %w", root, benchmark,
			strings.Join(missing, ", "), fs.ErrNotExist)
	}
	for _, s := range of.csid {
		set := find(s)
		if t.hasFirst(filepath.Join(lists, s.list+".txt"), filepath.Join(root, s.in(of))) {
			b.CSID = append(b.CSID, set)
		} else {
			b.Missing = append(b.Missing, s.name)
		}
	}
	return b, nil
}

// in returns the folder of the paths in the set's list.
func (s openOODSet) in(of openOODBenchmark) string {
	if s.folder != "" {
		return s.folder
	}
	return of.folder
}

// hasFirst reports whether the list exists, and the first picture in it.
func (t tree) hasFirst(list, root string) bool {
	data, err := t.read(list, maxListFile)
	if err != nil {
		return false
	}
	l, err := parseList(list, string(data))
	return err == nil && t.exists(t.below(root, l.files[0]))
}
