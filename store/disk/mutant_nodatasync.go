//go:build mutant_nodatasync

package disk

const (
	dropDatasync = true
	dropSyncDir  = false
)
