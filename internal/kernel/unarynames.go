package kernel

// unaryNames holds the names of the functions and their numbers of parameters.
var unaryNames = [...]struct {
	name       string
	parameters int
}{
	ActIdentity: {"Identity", 0}, ActReLU: {"ReLU", 0}, ActReLU6: {"ReLU6", 0}, ActClamp: {"Clamp", 2},
	ActSigmoid: {"Sigmoid", 0},
	ActSwish:   {"Swish", 1}, ActHardSigmoid: {"HardSigmoid", 2}, ActHardSwish: {"HardSwish", 0}, ActGELU: {"GELU", 0},
	ActGELUTanh: {"GELUTanh", 0}, ActTanh: {"Tanh", 0}, ActSoftplus: {"Softplus", 0}, ActMish: {"Mish", 0},
	ActSoftsign:  {"Softsign", 0},
	ActLeakyReLU: {"LeakyReLU", 1}, ActELU: {"ELU", 1}, ActCELU: {"CELU", 1}, ActSELU: {"SELU", 2}, ActExp: {"Exp", 0},
	ActLog:  {"Log", 0},
	ActSqrt: {"Sqrt", 0}, ActReciprocal: {"Reciprocal", 0}, ActAbs: {"Abs", 0}, ActNeg: {"Neg", 0}, ActErf: {"Erf", 0},
	ActSin: {"Sin", 0},
	ActCos: {"Cos", 0}, ActSquare: {"Square", 0}, ActFloor: {"Floor", 0}, ActCeil: {"Ceil", 0}, ActRound: {"Round", 0},
	ActSign: {"Sign", 0},
}

// String returns the function's name.
func (k UnaryKind) String() string { return unaryNames[k].name }

// Parameters returns the number of the function's parameters, at most two.
func (k UnaryKind) Parameters() int { return unaryNames[k].parameters }
