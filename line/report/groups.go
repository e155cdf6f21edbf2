package report

// Average holds means over OOD sets, each counted once whatever its size: FPR95, AUROC and FPR95OpenOOD of
// [metrics.Metrics], as fractions.
type Average struct{ FPR95, AUROC, FPR95OpenOOD float64 }

// Group is the mean over the OOD sets of one group.
type Group struct {
	Name string // "near", "far" or another word
	Sets int    // how many sets it has
	Average
}

// Average returns the method's mean over its OOD sets, NaN where there are none.
func (m Method) Average() Average { return averageOf(m.OOD) }

// Groups returns the mean over each group of the method's OOD sets, in the order of each group's first set. Sets
// without a group do not count.
func (m Method) Groups() []Group { return groupsOf(m.OOD) }

// FullSpectrumAverage is Average with covariate-shifted ID sets counted as ID; NaN without such sets.
func (m Method) FullSpectrumAverage() Average { return averageOf(m.FullSpectrum) }

// FullSpectrumGroups is Groups with covariate-shifted ID sets counted as ID.
func (m Method) FullSpectrumGroups() []Group { return groupsOf(m.FullSpectrum) }

func averageOf(sets []OOD) Average {
	var a Average
	for _, o := range sets {
		a.FPR95 += o.Metrics.FPR95
		a.AUROC += o.Metrics.AUROC
		a.FPR95OpenOOD += o.Metrics.FPR95OpenOOD
	}
	n := float64(len(sets))
	return Average{FPR95: a.FPR95 / n, AUROC: a.AUROC / n, FPR95OpenOOD: a.FPR95OpenOOD / n}
}

func groupsOf(sets []OOD) []Group {
	var names []string
	of := map[string][]OOD{}
	for _, o := range sets {
		if o.Group == "" {
			continue
		}
		if of[o.Group] == nil {
			names = append(names, o.Group)
		}
		of[o.Group] = append(of[o.Group], o)
	}
	var groups []Group
	for _, name := range names {
		groups = append(groups, Group{name, len(of[name]), averageOf(of[name])})
	}
	return groups
}
