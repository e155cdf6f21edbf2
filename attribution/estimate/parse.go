package estimate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/line-ood/goline/attribution"
)

// Parse returns the estimator with that name, as its Name method returns it, for example permutation, antithetic,
// permutation-rotated-4, stratified-optimal, owen-halved-5, kernelshap-paired, leverageshap, odd-regression,
// svarm-stratified, proxy-adjusted, integrated-gradients-trapezoid, expected-gradients, coalition-gradients-unbiased,
// gradient-activation, deeplift-rescale, conductance, closed-form, exact, top-35, recommended.
func Parse(name string) (attribution.Estimator, error) {
	e := parse(name)
	// Only what Name returns is accepted, which rules out leading zeros, parts in another order and the like.
	if e == nil || e.Name() != name {
		return nil, fmt.Errorf("attribution: unknown estimator %q", name)
	}
	return e, nil
}

func parse(name string) attribution.Estimator {
	words, number := name, 0
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		if n, err := strconv.Atoi(name[i+1:]); err == nil && n > 0 {
			words, number = name[:i], n
		}
	}
	has := func(word string) bool { return strings.Contains(words, word) }
	switch {
	case strings.HasPrefix(words, "permutation"), strings.HasPrefix(words, "antithetic"):
		return Permutation{Antithetic: has("antithetic"), Rotations: number}
	case strings.HasPrefix(words, "stratified"):
		return Stratified{Strata: number, Optimal: has("-optimal")}
	case strings.HasPrefix(words, "owen"):
		return Owen{Levels: number, Halved: has("-halved"), Trapezoid: has("-trapezoid")}
	case strings.HasPrefix(words, "kernelshap"):
		return KernelSHAP{Paired: has("-paired"), Unbiased: has("-unbiased")}
	case words == "odd-regression":
		return OddRegression{}
	case words == "leverageshap":
		return LeverageSHAP{}
	case strings.HasPrefix(words, "svarm"):
		return SVARM{Stratified: has("-stratified")}
	case words == "top":
		return TopK{K: number}
	case words == "exact":
		return Exact{}
	case strings.HasPrefix(words, "coalition-gradients"):
		return CoalitionGradients{Unbiased: has("-unbiased")}
	case words == "proxy-adjusted":
		return ProxyAdjusted{}
	case words == "recommended":
		return Recommended{}
	case words == "closed-form":
		return ClosedForm{}
	case words == "gradient-activation":
		return GradientActivation{}
	case words == "deeplift-rescale":
		return Rescale{}
	case words == "conductance":
		return Conductance{}
	case words == "expected-gradients":
		return ExpectedGradients{}
	case strings.HasPrefix(words, "integrated-gradients"):
		for _, rule := range []Rule{ClenshawCurtis, Trapezoid, RightRiemann} {
			if strings.HasSuffix(words, rule.String()) {
				return IntegratedGradients{Rule: rule}
			}
		}
		return IntegratedGradients{}
	}
	return nil
}
