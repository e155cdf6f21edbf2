package compare

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/internal/npyz"
)

// Imported holds estimates that another program made, to be compared with those of a study's estimators.
type Imported struct {
	// Estimator is the program's name in tables.
	Estimator string

	path string
	rows []importedRow
}

// importedRow is one estimate of another program.
type importedRow struct {
	game           string
	budget         float64
	seed           uint64
	empty, full    float64 // v(∅) and v(N) as the other program evaluated them
	evaluations    int64
	seconds        float64
	values, stdErr []float64 // stdErr is nil where the file has none
}

// importedName matches the names that an imported estimator may have. Names become parts of file names.
var importedName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ReadImported reads estimates from an npz archive of these arrays, one row for each estimate:
//
//	estimator    string, no axes      what tables call the program: letters, digits, ".", "-", "_"
//	games        string [rows]        the game's name, a [Subject]'s
//	budgets      number [rows]        the budget that was given, in forward-equivalents, positive
//	evaluations  number [rows]        coalition values that were asked for, at least 0
//	seconds      number [rows]        wall time, at least 0
//	ends         number [rows, 2]     v(∅) and v(N), by which a study knows that the same game was played
//	values       number [rows, players]
//	seeds        number [rows]        optional: tells several runs of one game and budget apart
//	std_err      number [rows, players]  optional: standard errors of values, for normal intervals; NaN where unknown
//
// An error names the file, and the array with its shape or the entry. All numbers but standard errors must be finite.
func ReadImported(path string) (*Imported, error) {
	file, err := npyz.ReadNpz(path)
	if err != nil {
		return nil, err
	}
	m := &Imported{path: path}
	if m.Estimator, err = file.String("estimator"); err != nil {
		return nil, err
	}
	if !importedName.MatchString(m.Estimator) {
		return nil,
			fmt.Errorf("%s: array \"estimator\": expected up to 64 letters, digits, \".\", \"-\" and \"_\", got %q",
				path, m.Estimator)
	}
	games, err := file.Strings("games", -1)
	if err != nil {
		return nil, err
	}
	rows := len(games)
	if rows == 0 {
		return nil, fmt.Errorf("%s: array \"games\": expected at least one row, got shape [0]", path)
	}
	columns := importedColumns{file: file, path: path, rows: rows}
	budgets := columns.numbers("budgets", math.SmallestNonzeroFloat64)
	seconds := columns.numbers("seconds", 0)
	ends := columns.numbers("ends", math.Inf(-1), 2)
	values := columns.numbers("values", math.Inf(-1), -1)
	evaluations, seeds := columns.counts("evaluations"), make([]int64, rows)
	if file.Has("seeds") {
		seeds = columns.counts("seeds")
	}
	if columns.err != nil {
		return nil, columns.err
	}
	players := len(values) / rows
	if players == 0 {
		return nil, fmt.Errorf("%s: array \"values\": expected at least one player, got shape [%d, 0]", path, rows)
	}
	var stdErr []float64
	if file.Has("std_err") {
		if stdErr, err = file.Float64("std_err", rows, players); err != nil {
			return nil, err
		}
	}
	type run struct {
		game   string
		budget float64
		seed   int64
	}
	seen := map[run]int{}
	for r, game := range games {
		key := run{game, budgets[r], seeds[r]}
		if first, twice := seen[key]; twice {
			return nil, fmt.Errorf("%s: rows %d and %d are both of game %q, budget %v and seed %d", path, first, r,
				game, budgets[r], seeds[r])
		}
		seen[key] = r
		row := importedRow{game: game, budget: budgets[r], seed: uint64(seeds[r]), empty: ends[2*r], full: ends[2*r+1],
			evaluations: evaluations[r], seconds: seconds[r], values: values[r*players : (r+1)*players]}
		if stdErr != nil {
			row.stdErr = stdErr[r*players : (r+1)*players]
			if i := slices.IndexFunc(row.stdErr, func(v float64) bool { return v < 0 }); i >= 0 {
				return nil, fmt.Errorf("%s: array \"std_err\" [%d, %d]: expected at least 0, got %v", path, r, i,
					row.stdErr[i])
			}
		}
		m.rows = append(m.rows, row)
	}
	return m, nil
}

// importedColumns reads arrays whose first axis is the rows. It keeps the first error.
type importedColumns struct {
	file *npyz.Archive
	path string
	rows int
	err  error
}

// numbers reads an array [rows, further...] of finite numbers that are at least low.
func (c *importedColumns) numbers(name string, low float64, further ...int) []float64 {
	if c.err != nil {
		return nil
	}
	v, err := c.file.Float64(name, append([]int{c.rows}, further...)...)
	if err != nil {
		c.err = err
		return nil
	}
	per := len(v) / c.rows
	if i := mathx.FirstNotFinite(v); i >= 0 {
		c.err = fmt.Errorf("%s: array %q, row %d: expected finite numbers, got %v", c.path, name, i/per, v[i])
	} else if i := slices.IndexFunc(v, func(x float64) bool { return x < low }); i >= 0 {
		c.err = fmt.Errorf("%s: array %q, row %d: expected numbers of at least %v, got %v", c.path, name, i/per,
			max(low, 0), v[i])
	}
	return v
}

// counts reads whole numbers of at least 0.
func (c *importedColumns) counts(name string) []int64 {
	if c.err != nil {
		return nil
	}
	v, err := c.file.Int64(name, c.rows)
	if err != nil {
		c.err = err
		return nil
	}
	if i := slices.IndexFunc(v, func(x int64) bool { return x < 0 }); i >= 0 {
		c.err = fmt.Errorf("%s: array %q, row %d: expected at least 0, got %d", c.path, name, i, v[i])
	}
	return v
}

// Rows is the number of estimates.
func (m *Imported) Rows() int { return len(m.rows) }

// Estimates returns the estimates of the game with that name for a budget in forward-equivalents. perValue is the
// cost of one value of the game in forward passes. The estimates' Method is the program's name. Their slices share
// memory with m.
func (m *Imported) Estimates(game string, budget, perValue float64) []attribution.Estimate {
	var out []attribution.Estimate
	for _, r := range m.of(game, budget) {
		out = append(out, r.estimate(m.Estimator, perValue))
	}
	return out
}

func (m *Imported) of(game string, budget float64) (out []importedRow) {
	for _, r := range m.rows {
		if r.game == game && r.budget == budget {
			out = append(out, r)
		}
	}
	return out
}

func (r *importedRow) estimate(method string, perValue float64) attribution.Estimate {
	spent := float64(r.evaluations) * perValue
	e := attribution.Estimate{Method: method, Values: r.values, StdErr: r.stdErr, Evaluations: r.evaluations,
		Empty: r.empty, Full: r.full,
		Cost:    attribution.Cost{Forwards: spent, Equivalents: spent, Seconds: r.seconds},
		Stopped: attribution.StopBudget}
	e.Residual = r.full - r.empty
	for _, v := range r.values {
		e.Residual -= v
	}
	if r.stdErr == nil {
		e.StdErr = make([]float64, len(r.values))
		return e
	}
	e.DF = make([]float64, len(r.values))
	for i := range e.DF {
		e.DF[i] = math.Inf(1)
	}
	return e
}

// runs returns the file's runs of a game and budget, and their values; where the file has none, one skipped run.
func (m *Imported) runs(s *Study, subject int, budget float64) (out []Run, values [][]float64) {
	sub := s.Subjects[subject]
	for _, r := range m.of(sub.Name, budget) {
		e := r.estimate(m.Estimator, attribution.ForwardsPerValue(sub.Game))
		out = append(out, Run{Subject: sub.Name, Estimator: m.Estimator, Budget: budget, Seed: r.seed,
			Evaluations: r.evaluations, Cost: e.Cost,
			Stopped: e.Stopped, Scores: Score(sub.Truth, &e, s.keep(len(e.Values)), s.level()), subject: subject})
		values = append(values, e.Values)
	}
	if out == nil {
		skipped := Run{Subject: sub.Name, Estimator: m.Estimator, Budget: budget,
			Skipped: m.path + " has no estimate of this game and budget", subject: subject}
		for i := range skipped.Scores {
			skipped.Scores[i] = math.NaN()
		}
		out, values = append(out, skipped), append(values, nil)
	}
	return out, values
}

// check returns an error where the file has no estimate for the study, or where its v(∅) and v(N) show that it played
// another game than the study's of the same name.
func (m *Imported) check(ctx context.Context, s *Study) error {
	used := 0
	for _, sub := range s.Subjects {
		n := sub.Game.Players()
		var ends []float64
		for _, r := range m.rows {
			if r.game != sub.Name || !slices.Contains(s.Budgets, r.budget) {
				continue
			}
			used++
			if len(r.values) != n {
				return fmt.Errorf("%s: array \"values\": expected shape [%d, %d] for the players of game %q, got "+
					"[%d, %d]", m.path, len(m.rows), n, r.game, len(m.rows), len(r.values))
			}
			if ends == nil {
				c := attribution.NewCoalitions(n, 2)
				c.Row(1).Fill(n)
				ends = make([]float64, 2)
				if err := sub.Game.Values(ctx, c, ends); err != nil {
					return fmt.Errorf("game %q: %w", sub.Name, err)
				}
			}
			slack := 1e-6 * (math.Abs(ends[0]) + math.Abs(ends[1]))
			if math.Abs(r.empty-ends[0]) > slack || math.Abs(r.full-ends[1]) > slack {
				return fmt.Errorf("%s: array \"ends\": another game %q was played: expected v(∅) = %v and v(N) = %v, "+
					"got %v and %v",
					m.path, r.game, ends[0], ends[1], r.empty, r.full)
			}
		}
	}
	if used == 0 {
		return fmt.Errorf("%s: expected estimates of the study's games (%q, ...) with budgets %v, got %d of other "+
			"games (%q, ...) or budgets (%v, ...)",
			m.path, s.Subjects[0].Name, s.Budgets, len(m.rows), m.rows[0].game, m.rows[0].budget)
	}
	return nil
}
