package admin

import (
	"errors"
	"maps"
	"slices"
)

// away are brokers, or members of a group, that did not tell what they were asked, and why. A command shows what the others told, and ends with err.
type away map[string]error

// err is nil where everybody told.
func (a away) err() error {
	var errs []error
	for _, who := range slices.Sorted(maps.Keys(a)) {
		errs = append(errs, a[who])
	}
	return errors.Join(errs...)
}
