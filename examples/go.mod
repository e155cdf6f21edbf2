module github.com/line-ood/goline/examples

go 1.26.0

require (
	github.com/line-ood/goline v0.0.0
	gorgonia.org/gorgonia v0.9.18
)

replace github.com/line-ood/goline => ../
