package store

import "ringmq/store/record"

// plan is what a read is going to bring from the file at once.
type plan struct {
	units   [unitsPerLook + 1]record.QueueUnit // of the records, in the log's order
	n       int
	windows [heldWindows]planned
	count   int
}

// planned is a window that some of them lie in.
type planned struct {
	from, to int64
	need     int // bytes from its beginning on
	wanted   int // bytes of records
	w        *window
	own      bool // to be read here
	waits    bool // another reads it
}

// dense says that the records lie so close that whoever goes on reading behind them wants enough of every window on the way, also of those
// that the first and the last of them reach into.
func (p *plan) dense() bool {
	if p.n == 0 {
		return false
	}
	bytes := int64(0)
	for _, u := range p.units[:p.n] {
		bytes += int64(u.Size)
	}
	return bytes*windowWaste >= max(windowBytes, p.units[p.n-1].End()-p.units[0].Offset)
}

// window returns the planned window that begins at from, nil where there is none.
func (p *plan) window(from int64) *planned {
	for i := p.count - 1; i >= 0; i-- {
		if p.windows[i].from == from {
			return &p.windows[i]
		}
	}
	return nil
}

// want enters a record that is not in memory, and says whether there was room.
func (p *plan) want(c *windows, u record.QueueUnit) bool {
	for at := u.Offset; at < u.End(); {
		from, to := c.bounds(at)
		part := min(to, u.End())
		k := p.window(from)
		if k == nil {
			if p.count == heldWindows {
				return false
			}
			p.windows[p.count] = planned{from: from, to: to}
			k = &p.windows[p.count]
			p.count++
		}
		k.need = max(k.need, int(part-from))
		k.wanted += int(part - at)
		at = part
	}
	p.units[p.n] = u
	p.n++
	return true
}

// gathering is one gather.
type gathering struct {
	r *reading
	p plan
	b *coldBatch // nil: nothing has to come from the disk so far
}

// gather brings the record of u together with those of the entries behind it that will be wanted too: windows where they lie close,
// otherwise each alone. It returns how many bytes of records that should be. What fails is left out: the record alone will tell what
// is wrong.
func (r *reading) gather(u record.QueueUnit) (bytes int) {
	r.release()
	if u.Size > maxWindowed {
		return 0
	}
	g, c := gathering{r: r}, &r.s.windows
	r.planAhead(&g.p, u)
	all := g.p.windows[:g.p.count]
	dense := g.p.dense()
	for i := range all {
		g.beginWindow(&all[i], dense)
	}
	for _, v := range g.p.units[:g.p.n] {
		from, _ := c.bounds(v.Offset)
		if k := g.p.window(from); k.w == nil && !k.waits {
			g.beginAlone(v)
		}
	}
	g.end()
	// Only now may others be waited for: what they wait for is there.
	for i := range all {
		k := &all[i]
		if k.waits {
			k.w = c.await(k.from, k.need)
		}
		if k.w != nil {
			r.held.keep(c, k.w)
		}
	}
	for _, v := range g.p.units[:g.p.n] {
		bytes += int(v.Size)
	}
	return bytes
}

// planAhead enters u and the entries behind it that fit into the answer.
func (r *reading) planAhead(p *plan, u record.QueueUnit) {
	c, hot := &r.s.windows, r.s.log.HotFrom()
	if !p.want(c, u) {
		return
	}
	messages, bytes, last := r.f.Messages+1, r.f.Bytes+int(u.Size), u.End()
	for _, v := range r.units[min(r.next, r.known):r.known] {
		if v.IsBlank() || r.w.Match != nil && v.TagsCode > extAddressMax && !r.w.Match(v.TagsCode) {
			continue
		}
		size := int(v.Size)
		if v.Offset < last || v.Offset >= hot || size > maxWindowed || !r.s.plausible(v, r.logMax) ||
			r.fullWith(messages, bytes, size, r.logMax-v.Offset <= r.memory) || !p.want(c, v) {
			return
		}
		messages, bytes, last = messages+1, bytes+size, v.End()
	}
}

// beginWindow takes a planned window from those that are kept, or begins to read it. Of a dense plan no records are read alone before it.
func (g *gathering) beginWindow(k *planned, dense bool) {
	s := g.r.s
	k.w, k.waits = s.windows.take(k.from, k.need)
	if k.w != nil || k.waits || !s.windows.worth(k.from, k.to, k.wanted) && !dense || s.readsAlone.Load() || s.log.Unreadable(k.from, k.to-k.from) {
		return
	}
	w := s.windows.claim(k.from)
	if w == nil {
		return
	}
	p := w.b[:min(k.to, g.r.logMax)-k.from]
	switch there := g.r.count(k.from, len(p)); {
	case !there && g.begin(k.from, p, !s.windows.fromDisk(k.from)):
		k.w, k.own = w, true
	case there && s.log.ReadExact(k.from, p) == nil:
		s.windows.done(w, len(p))
		k.w = w
	default:
		s.windows.done(w, 0)
	}
}

// beginAlone reads a record alone, or begins to. Its neighbours in its pages are other queues': the kernel keeps them for those.
func (g *gathering) beginAlone(u record.QueueUnit) {
	r := g.r
	if r.s.log.Unreadable(u.Offset, int64(u.Size)) {
		return // each attempt takes the disk long
	}
	if r.alone == nil {
		r.alone = new(alone)
	}
	p := r.alone.room(int(u.Size))
	if p == nil {
		return
	}
	if !r.count(u.Offset, len(p)) {
		g.begin(u.Offset, p, false)
	} else if r.s.log.ReadExact(u.Offset, p) == nil {
		r.alone.add(u.Offset, p)
	}
}

// begin has a piece of the log read from the disk.
func (g *gathering) begin(offset int64, p []byte, once bool) bool {
	at, err := g.r.s.log.Place(offset, len(p))
	if err != nil {
		return false
	}
	if g.b == nil {
		g.b = g.r.s.cold.take()
	}
	if g.b.full() {
		at.Release()
		return false
	}
	g.b.add(offset, at, p, once)
	return true
}

// end takes over what was read.
func (g *gathering) end() {
	b := g.b
	if b == nil {
		return
	}
	b.run(g.r.s.cold.pace)
	for i, op := range b.list {
		offset := b.reads[i].offset
		k := g.p.window(offset)
		switch own := k != nil && k.own; {
		case !own && op.Err == nil:
			g.r.alone.add(offset, op.Buf)
		case own && op.Err == nil:
			g.r.s.windows.done(k.w, len(op.Buf))
		case own:
			g.r.s.windows.done(k.w, 0)
			k.w = nil
		}
	}
	g.r.s.cold.give(b)
}
