package attribute

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/nets"
)

// lineValue is the --value of games whose value is the LINe score of a detector.
const lineValue = "line"

// gameFlags say which games are played on which images.
type gameFlags struct {
	net                    command.Network
	detector               string
	data, fit, featuresDir string
	layer                  string
	channels               bool
	groups                 int
	value, target, removal string
	background             int
	scope                  string
	images                 int
	index                  []int
}

func (g *gameFlags) register(cmd *cobra.Command, images int) {
	g.net.Register(cmd)
	f := cmd.Flags()
	f.StringVar(&g.detector, "detector", "",
		"detector `FILE` that goline fit wrote, for --value line; it holds its network")
	f.StringVar(&g.data, "data", "", "images: `DATA`")
	f.StringVar(&g.fit, "fit", "", "images that removed neurons take their values from, unless to zero: `DATA`")
	f.StringVar(&g.featuresDir, "features-dir", "", "`FOLDER` to keep features in, shared with goline eval")
	f.StringVar(&g.layer, "layer", nets.Features, "`NODE` whose neurons play; a wrong name lists the right ones")
	f.BoolVar(&g.channels, "channels", false, "channels play instead of single neurons")
	f.IntVar(&g.groups, "groups", 0,
		"this many groups of neighbouring neurons (with --channels, of channels) play instead of single ones; "+
			"up to 20 can be enumerated")
	f.StringVar(&g.value, "value", "logit",
		"what is attributed: logit, probability, log-probability, log-sum-exp, margin or line")
	f.StringVar(&g.target, "target", "",
		"class that the value is about: label, prediction or a number (default prediction, label with --scope class)")
	f.StringVar(&g.removal, "removal", "zero", "what a removed neuron becomes: zero, mean, class-mean or resample")
	f.IntVar(&g.background, "background", 100, "images of --fit that --removal resample draws from, chosen by --seed")
	f.StringVar(&g.scope, "scope", "sample",
		"sample: one game for each image; class: one for each class, the mean over its images")
	f.IntVar(&g.images, "images", images,
		"how many images, chosen by --seed; 0 for all, which --scope class takes unless told otherwise")
	f.IntSliceVar(&g.index, "image", nil, "which images, counted from 0, instead of --images")
}

// inputs returns the files that are read, which outputs must not overwrite.
func (g *gameFlags) inputs() []command.Input {
	return append(g.net.Inputs(), command.InputFile("--detector", g.detector), command.InputData("--data", g.data),
		command.InputData("--fit", g.fit), command.InputFolder("--features-dir", g.featuresDir))
}

// plan holds the parsed flags, checked before any file is read.
type plan struct {
	gameFlags
	value  attribution.Value // LogSumExp where --value is lineValue
	line   bool
	target attribution.Target
	// targetClass is the class that --target names by its number, -1 where it names none
	targetClass int
	byClass     bool
	path        bool // games need the activations along a path from the black picture to the image
}

func (g *gameFlags) check(imagesGiven bool) (p plan, err error) {
	p.gameFlags = *g
	if err := command.Required("--data", g.data); err != nil {
		return p, err
	}
	p.byClass = g.scope == "class"
	if p.byClass && !imagesGiven {
		p.images = 0
	}
	if p.line = g.value == lineValue; p.line {
		p.value = attribution.LogSumExp
		if err := command.Required("--detector", g.detector); err != nil {
			return p, err
		}
	} else if p.value, err = attribution.ParseValue(g.value); err != nil {
		return p,
			command.Usagef("--value %q: expected logit, probability, log-probability, log-sum-exp, margin or line",
				g.value)
	}
	if g.detector == "" {
		if err := command.Required(g.net.Needs()...); err != nil {
			return p, err
		}
	}
	if p.target, p.targetClass, err = parseTarget(g.target, p.byClass); err != nil {
		return p, err
	}
	switch {
	case g.scope != "sample" && g.scope != "class":
		return p, command.Usagef("--scope %q: expected sample or class", g.scope)
	case !slices.Contains([]string{"zero", "mean", "class-mean", "resample"}, g.removal):
		return p, command.Usagef("--removal %q: expected zero, mean, class-mean or resample", g.removal)
	case g.removal != "zero" && g.fit == "":
		return p, command.Usagef("--removal %s needs --fit", g.removal)
	case g.background < 1:
		return p, command.Usagef("--background %d: expected at least 1", g.background)
	case g.groups < 0:
		return p, command.Usagef("--groups %d: expected 0 or more", g.groups)
	case slices.ContainsFunc(g.index, func(i int) bool { return i < 0 }):
		return p, command.Usagef("--image %v: expected indices counted from 0", g.index)
	case g.images < 0:
		return p, command.Usagef("--images %d: expected 0 or more", g.images)
	case g.layer == "":
		return p, command.Usagef("--layer is empty")
	case g.channels && g.layer == nets.Features:
		return p, command.Usagef("--channels: the layer %s has single neurons only", g.layer)
	}
	return p, nil
}

// parseTarget also returns the number of the class that is named, -1 where none is.
func parseTarget(name string, byClass bool) (t attribution.Target, class int, err error) {
	switch {
	case name == "label" || name == "" && byClass:
		return attribution.TargetLabel(), -1, nil
	case name == "prediction" || name == "":
		return attribution.TargetPrediction(), -1, nil
	}
	class, err = strconv.Atoi(name)
	if err != nil || class < 0 {
		return t, -1, command.Usagef("--target %q: expected label, prediction or the number of a class", name)
	}
	return attribution.TargetClass(class), class, nil
}

// subject is one game, with the image or class that it is about.
type subject struct {
	Name   string // its name in tables and files
	Image  int    // index of the image, -1 for a class
	ID     string // the image's ID, or the class
	Label  int    // -1 where unknown
	Class  int    // class whose value is played for, -1 where it differs between the images of a mean game
	Images int    // number of images over which the game is a mean
	Game   attribution.Game
}

// stage is an opened network, with everything that games need besides images.
type stage struct {
	*command.Common
	plan
	network    nets.Classifier
	det        *line.Detector // nil without --detector
	weightsSHA string
	names      []string // class names of the network, nil where they are not known
}

func newStage(c *command.Common, p plan) (s *stage, err error) {
	s = &stage{Common: c, plan: p}
	if p.detector == "" {
		s.network, err = p.net.Open()
	} else if s.det, s.network, err = p.net.Detector(p.detector); err == nil {
		s.weightsSHA = "fingerprint " + line.Fingerprint(s.network)
	}
	if err == nil && p.targetClass >= s.network.Classes() {
		err = command.Usagef("--target %d: expected a class from 0 to %d", p.targetClass, s.network.Classes()-1)
	}
	if err == nil && p.net.File() != "" {
		s.weightsSHA, err = p.net.SHA256()
	}
	if err == nil {
		s.names, err = p.net.Names()
	}
	return s, err
}

// choose returns n random numbers below total in ascending order, or all of them if n is 0 or at least total.
func choose(n, total int, seed, stream uint64) []int {
	if n == 0 || n >= total {
		all := make([]int, total)
		for i := range all {
			all[i] = i
		}
		return all
	}
	return slices.Sorted(slices.Values(rand.New(rand.NewPCG(seed, stream)).Perm(total)[:n]))
}

// Streams of random choices. They differ from one another and from those of the estimators.
const (
	imageStream      = 0x696d616765
	backgroundStream = 0x6261636b
)

// chosen returns the indices of the images that games are played on.
func (p *plan) chosen(total int, seed uint64) ([]int, error) {
	if p.index == nil {
		return choose(p.images, total, seed, imageStream), nil
	}
	seen := map[int]bool{}
	for _, i := range p.index {
		if i < 0 || i >= total {
			return nil, command.Usagef("--image %d: %s has %d images", i, p.data, total)
		}
		if seen[i] {
			return nil, command.Usagef("--image %d is named twice", i)
		}
		seen[i] = true
	}
	return p.index, nil
}

// group divides a layer's neurons into the groups that are players, nil where single neurons are, and names the
// players.
func (p *plan) group(shape []int) (groups [][]int, names []string, err error) {
	size, each, what := 1, 1, "neurons"
	for _, d := range shape {
		size *= d
	}
	if p.channels {
		if len(shape) < 2 {
			return nil, nil, command.Usagef("--channels: layer %s has shape %v, single neurons only", p.layer, shape)
		}
		size, each, what, shape = shape[0], size/shape[0], "channels", shape[:1]
	}
	switch {
	case p.groups > size:
		return nil, nil, command.Usagef("--groups %d: layer %s has %d %s", p.groups, p.layer, size, what)
	case p.groups > 0:
		for g := range p.groups {
			lo, hi := g*size/p.groups, (g+1)*size/p.groups
			var members []int
			for i := lo * each; i < hi*each; i++ {
				members = append(members, i)
			}
			groups, names = append(groups, members), append(names, fmt.Sprintf("%s[%d:%d]", p.layer, lo, hi))
		}
		return groups, names, nil
	}
	names = make([]string, size)
	for i := range names {
		names[i] = p.layer + position(i, shape)
	}
	return nil, names, nil
}

// position returns the coordinates of a row-major index as text: [3,0,7].
func position(i int, shape []int) string {
	at := make([]string, len(shape))
	for d := len(shape) - 1; d >= 0; d-- {
		at[d] = strconv.Itoa(i % shape[d])
		i /= shape[d]
	}
	return "[" + strings.Join(at, ",") + "]"
}

// subjects returns the games that the flags ask for.
func (s *stage) subjects(ctx context.Context) ([]subject, error) {
	if s.layer == nets.Features {
		return s.play(ctx, s.featureSubjects)
	}
	return s.play(ctx, s.layerSubjects)
}

// play opens the images and lets way make games of them.
func (s *stage) play(ctx context.Context, way func(context.Context, images) ([]subject, error)) ([]subject, error) {
	set, err := s.net.Data("--data", s.data)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	in := images{Dataset: set}
	if in.labels, err = s.labels(set); err != nil {
		return nil, err
	}
	if in.pick, err = s.chosen(set.Len(), s.Seed); err != nil {
		return nil, err
	}
	return way(ctx, in)
}

// labels returns the labels of a set. Labels that are not classes of the network are an error where the games need
// labels; otherwise labels returns nil for them.
func (s *stage) labels(set dataset.Dataset) ([]int, error) {
	err := eval.CheckLabels(set, s.network.Classes())
	switch {
	case err == nil:
		return set.Labels(), nil
	case s.byClass || s.plan.target == attribution.TargetLabel():
		return nil, fmt.Errorf("--data %w", err)
	}
	return nil, nil
}

// images are those of --data, with their labels and the choice that the flags make.
type images struct {
	dataset.Dataset
	labels []int // nil for none
	pick   []int // indices of the chosen images
}

// label returns the label of chosen image number k, -1 where it is unknown.
func (in images) label(k int) int {
	if in.labels == nil {
		return -1
	}
	return in.labels[in.pick[k]]
}

// ofImage returns the game g as the subject of chosen image number k.
func (in images) ofImage(k int, g attribution.Game) subject {
	i := in.pick[k]
	return subject{Name: fmt.Sprintf("image-%d", i), Image: i, ID: in.ID(i), Label: in.label(k), Class: classOf(g),
		Images: 1, Game: g}
}

// ofClass returns the game g, a mean over the given number of images of a class, as the subject of that class.
func (in images) ofClass(class, members int, g attribution.Game) subject {
	name := fmt.Sprintf("class-%d", class)
	if names := in.Classes(); class < len(names) {
		name = names[class]
	}
	return subject{Name: name, Image: -1, ID: name, Label: class, Class: classOf(g), Images: members, Game: g}
}

// byLabel groups chosen images by label: for each class the indices that have it. pick holds indices into labels.
func byLabel(pick, labels []int, classes int) ([][]int, error) {
	out := make([][]int, classes)
	for _, i := range pick {
		if labels == nil || labels[i] < 0 {
			return nil, command.Usagef("--scope class: image %d has no label", i)
		}
		if labels[i] >= classes {
			return nil, fmt.Errorf("image %d has label %d, the network has %d classes", i, labels[i], classes)
		}
		out[labels[i]] = append(out[labels[i]], i)
	}
	return out, nil
}

// classOf returns the class that a game is about, -1 where it differs between the images of a mean game.
func classOf(g attribution.Game) int {
	switch g := g.(type) {
	case interface{ Class() int }:
		return g.Class()
	case *games.Mean:
		class := classOf(g.Member(0))
		for m := 1; m < g.Members(); m++ {
			if classOf(g.Member(m)) != class {
				return -1
			}
		}
		return class
	}
	return -1
}
