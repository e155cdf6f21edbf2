package onnx

import (
	"fmt"
	"strings"
)

// readable turns the name that an exporter gives to a node or its output into the module's name in PyTorch:
// "/layer1/layer1.0/conv1/Conv_output_0" becomes "layer1.0.conv1". A name without such a structure stays as it is.
func readable(name, op string) string {
	name = strings.TrimSuffix(name, "_output_0")
	if !strings.HasPrefix(name, "/") {
		return strings.ReplaceAll(name, "/", ".")
	}
	parts := strings.Split(strings.Trim(name, "/"), "/")
	if last := len(parts) - 1; last > 0 && (parts[last] == op || strings.HasPrefix(parts[last], op+"_")) {
		parts = parts[:last]
	}
	var path []string
	for _, part := range parts {
		if last := len(path) - 1; last >= 0 && strings.HasPrefix(part, path[last]+".") {
			path[last] = part
		} else {
			path = append(path, part)
		}
	}
	return strings.Join(path, ".")
}

// namer holds the names that are taken, to give every layer, parameter and node a name of its own.
type namer map[string]bool

func (n namer) unique(name string) string {
	if name == "" {
		name = "layer"
	}
	try := name
	for i := 2; n[try]; i++ {
		try = fmt.Sprintf("%s_%d", name, i)
	}
	n[try] = true
	return try
}

// uniqueLayer returns a free name for a layer, such that the names of its parameters, which start with it, are free,
// too.
func (n namer) uniqueLayer(name string, params []*param) string {
	base := n.unique(name)
	for i := 2; ; i++ {
		taken := false
		for _, p := range params {
			taken = taken || n[base+"."+p.suffix]
		}
		if !taken {
			break
		}
		base = n.unique(fmt.Sprintf("%s_%d", name, i))
	}
	for _, p := range params {
		n[base+"."+p.suffix] = true
	}
	return base
}

// layerName returns a name for an instruction with parameters: that of its weight's initialiser if it has the form of a
// PyTorch name, otherwise that of its node.
func layerName(i *inst) string {
	for _, p := range i.params {
		if base, ok := strings.CutSuffix(p.from, "."+p.suffix); ok && !strings.Contains(base, "::") {
			return base
		}
	}
	if i.node.name != "" {
		return readable(i.node.name, i.node.op)
	}
	return readable(i.out.name, i.node.op)
}

// nodeName returns a name for the value of an instruction.
func nodeName(i *inst) string {
	if i.out.name != "" {
		return readable(i.out.name, i.node.op)
	}
	return layerName(i)
}
