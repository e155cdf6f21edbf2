package posthoc

import (
	"fmt"
	"strings"
)

// compositionOf returns the kind for a name that joins the names of several kinds by +.
func compositionOf(name string, kinds []Kind) (Kind, error) {
	c := Kind{Name: name}
	var docs, sources []string
	for rest := name; rest != ""; {
		k, after, err := firstKind(rest, kinds)
		if err != nil {
			return Kind{}, fmt.Errorf("posthoc: %s: %w", name, err)
		}
		if k.Part == nil {
			return Kind{}, fmt.Errorf("posthoc: %s: %s cannot be composed", name, k.Name)
		}
		for _, other := range c.parts {
			if other.Name == k.Name {
				return Kind{}, fmt.Errorf("posthoc: %s: %s stands twice", name, k.Name)
			}
		}
		for _, p := range k.Params {
			p.Name = k.Name + "." + p.Name
			if p.Alias != "" {
				p.Alias = k.Name + "." + p.Alias
			}
			c.Params = append(c.Params, p)
		}
		c.parts = append(c.parts, k)
		docs, sources = append(docs, k.Doc), append(sources, k.Source)
		c.FittedOn, c.Slow = max(c.FittedOn, k.FittedOn), c.Slow || k.Slow
		rest = after
	}
	c.Doc, c.Source = strings.Join(docs, "; then "), strings.Join(sources, "; ")
	return c, nil
}

// firstKind returns the longest known name that begins a composition, and the text after the + behind it.
func firstKind(name string, kinds []Kind) (first Kind, rest string, err error) {
	for _, k := range kinds {
		after, ok := strings.CutPrefix(name, k.Name)
		if !ok || len(k.parts) > 0 || len(k.Name) < len(first.Name) {
			continue
		}
		if after == "" {
			first, rest = k, ""
		} else if after, ok = strings.CutPrefix(after, "+"); ok && after != "" {
			first, rest = k, after
		}
	}
	if first.Name == "" {
		part, _, _ := strings.Cut(name, "+")
		var names []string
		for _, k := range kinds {
			names = append(names, k.Name)
		}
		return first, "", fmt.Errorf("method: expected %s, got %q", oneOf(names), part)
	}
	return first, rest, nil
}

// compose makes a method from the parts of a kind.
func (k Kind) compose(params map[string]float64, workers int) (Method, error) {
	b := base{k.Name, params, workers}
	if len(k.parts) == 0 {
		p, err := k.Part(params, workers)
		if err == nil {
			err = k.checkPart(p)
		}
		if err != nil {
			return nil, err
		}
		return compose(b, k.FittedOn, []string{k.Name}, []Part{p})
	}
	var names []string
	var parts []Part
	for _, part := range k.parts {
		own := map[string]float64{}
		for _, p := range part.Params {
			own[p.Name] = params[part.Name+"."+p.Name]
		}
		p, err := part.Part(own, workers)
		if err != nil {
			return nil, fmt.Errorf("posthoc: %s: %w", k.Name, err)
		}
		if err := part.checkPart(p); err != nil {
			return nil, err
		}
		names, parts = append(names, part.Name), append(parts, p)
	}
	return compose(b, k.FittedOn, names, parts)
}

// checkPart returns an error if the kind is fitted on samples, but nothing of its part p would be fitted.
func (k Kind) checkPart(p Part) error {
	if k.FittedOn == Nothing || p.Shape != nil || p.Score == nil {
		return nil
	}
	if _, learns := p.Score.(Stateful); !learns {
		return fmt.Errorf("posthoc: %s is fitted on %v: expected a scorer that implements Stateful, got a %T", k.Name,
			k.FittedOn, p.Score)
	}
	return nil
}
