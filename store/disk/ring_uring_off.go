//go:build !uring

package disk

import "fmt"

// NewUringRing says that this binary was built without the io_uring engine.
func NewUringRing(int) (Ring, error) {
	return nil, fmt.Errorf("%w: built without it", ErrNoUring)
}
