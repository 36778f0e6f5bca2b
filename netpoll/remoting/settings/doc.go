// Package settings is configuration as keys and texts: what broker.conf and namesrv.conf say, what the environment and flags
// change, and what the configuration requests of the protocol show and set. It knows no key of its own; broker and name server
// each bring a table of theirs.
//
// Reading order: key.go and tsv.go (tables), parse.go (where settings come from), values.go (what is in force), address.go and
// prefixes.go (what stands for addresses), wish.go (what is refused), rewrite.go (the file again).
package settings
