// Package backup makes copies of a live broker's store, checks them and puts them back.
//
// Reading order: manifest.go (what a directory says of itself), source.go (who is asked), take.go (a backup is made, or goes on; storeoptions.go says in what store), damage.go with ranges.go (whose
// damage is it), tables.go (topics, groups and progress beside the log), verify.go with verifylog.go, verifyqueues.go and verifytables.go, restore.go with copyfile.go.
//
// A backup is a store directory that replication filled, so it goes on where the last run ended, and a broker can go on with a copy of
// it. In a backup that is complete
//
//	progress of a consumer <= end of its queue <= end of the log = Manifest.To
package backup
