package rig

import (
	"path/filepath"
	"testing"
)

// TestPlugLeavesNoImage: where no file system can be made, the image does not stay behind. One without a byte cannot be.
func TestPlugLeavesNoImage(t *testing.T) {
	for _, kind := range []string{"ext4", "xfs"} {
		root := t.TempDir()
		if d, err := Plug(root, "disk", kind, 0); err == nil || d != nil {
			t.Errorf("%s of no size: %+v, %v", kind, d, err)
		}
		if left, err := filepath.Glob(filepath.Join(root, "*.img")); err != nil || len(left) > 0 {
			t.Errorf("%s leaves %v, %v", kind, left, err)
		}
	}
}
