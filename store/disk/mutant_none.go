//go:build !mutant_nodatasync && !mutant_nosyncdir

package disk

// The power-cut test builds two broken binaries, each without one kind of sync, and demands that it notices. No other build
// sets these.
const (
	dropDatasync = false
	dropSyncDir  = false
)
