// Package meta is what a broker knows besides messages: topics, consumer groups and their progress. Tables are read without
// locks from any goroutine, changed under one, and written behind by one goroutine that groups changes (persister.go).
//
// Reading order: table.go (the map), topics.go, attributes.go, system.go, validate.go, groups.go, offsets.go and offsets_*.go, burials.go (what was deleted), replace.go
// (a slave's tables), size.go, document.go, persister.go.
package meta
