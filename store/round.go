package store

// OnRound adds a listener that the dispatcher calls after it has told of every entry that was visible: what arrived together can be
// dealt with together. It must be short. Add listeners before the first Append.
func (s *Store) OnRound(fn func()) {
	for {
		old := s.rounds.Load()
		var list []func()
		if old != nil {
			list = append(list, *old...)
		}
		list = append(list, fn)
		if s.rounds.CompareAndSwap(old, &list) {
			return
		}
	}
}

func (d *dispatcher) roundEnded() {
	if listeners := d.s.rounds.Load(); listeners != nil {
		for _, fn := range *listeners {
			fn()
		}
	}
}
