// Package meta is what a broker knows besides messages: topics, consumer groups and their progress. Tables are read without
// locks from any goroutine, changed under one, and written behind by one goroutine that groups changes (persister.go).
//
// Reading order: topics.go, system.go, validate.go, groups.go, offsets.go, persister.go.
package meta
