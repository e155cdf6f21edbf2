package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// begin prepares a run: values that change are in the host's memory only, where the host has put them.
func (p *placement) begin() {
	p.pending = p.pending[:0]
	for n, m := range p.values {
		if !m.fixed {
			m.onCard, m.onHost = false, n.Op() == nil
		}
	}
}

// finish waits for the card, hands out the fetched values and returns the first error; failed is an error that is known
// before.
func (p *placement) finish(failed error) error {
	if err := p.readStatus(); err != nil && failed == nil {
		failed = err
	}
	for _, f := range p.pending {
		if failed == nil {
			failed = f()
		}
	}
	p.pending = p.pending[:0]
	return failed
}

// doOnCard runs an operation: on the card where the operation has a form for cards, otherwise on the processor.
func (o *op) doOnCard(in []G.Value) (G.Value, error) {
	p := o.place
	for i, m := range o.sources {
		if _, own := in[i].(*mirror); !own && o.in[i].Op() != nil {
			m.given, m.onHost, m.onCard = in[i], true, false
		}
	}
	if f, ok := o.fn.(fetcher); ok {
		return o.out, p.fetch(f, o.sources[0])
	}
	var err error
	if o.form != nil {
		err = p.runOnCard(o)
	} else {
		err = p.runOnHost(o)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.name, err)
	}
	if o.clock != nil { // kernels are only queued, so the clock must wait for them
		if err := p.stream.Sync(); err != nil {
			return nil, fmt.Errorf("%s: %w", o.name, err)
		}
	}
	if !o.hasStockReader() {
		return o.value, nil
	}
	if _, err := o.value.download(p.stream); err != nil {
		return nil, fmt.Errorf("%s: %w", o.name, err)
	}
	return o.readable()
}

func (p *placement) runOnCard(o *op) error {
	for _, m := range o.sources {
		if err := m.upload(p.stream); err != nil {
			return err
		}
	}
	if err := o.form.run(&deviceCall{p: p, o: o, out: o.value, in: o.sources}); err != nil {
		return err
	}
	o.value.onCard, o.value.onHost = true, false
	return nil
}

func (p *placement) runOnHost(o *op) (err error) {
	for i, m := range o.sources {
		if o.hosts[i], err = m.download(p.stream); err != nil {
			return err
		}
	}
	o.restore()
	o.value.onCard, o.value.onHost = false, true
	return o.fn.forward(o.out, o.hosts)
}

// fetch hands a value to f: at once where the host has it, otherwise when the card has finished.
func (p *placement) fetch(f fetcher, m *mirror) error {
	if m.onHost {
		v, err := m.host()
		if err != nil {
			return err
		}
		return f.forward(nil, []G.Value{v})
	}
	if m.staging == nil {
		v, raw, err := p.pinned(m.dtype, m.shape)
		if err != nil {
			return err
		}
		m.staging, m.raw = v, raw
	}
	if err := m.copyDown(p.stream, m.staging); err != nil {
		return err
	}
	p.pending = append(p.pending, func() error { return f.forward(nil, []G.Value{m.staging}) })
	return nil
}
