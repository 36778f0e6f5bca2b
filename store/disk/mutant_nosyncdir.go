//go:build mutant_nosyncdir && !mutant_nodatasync

package disk

const (
	dropDatasync = false
	dropSyncDir  = true
)
