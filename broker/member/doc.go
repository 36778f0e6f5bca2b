// Package member knows who is connected: producers and consumers by group and connection, what each group subscribes to, and
// which client holds which queue of an ordered consumer. It is pure: a connection is a number, time comes from a clock, and that
// somebody has to be told of a change is returned, not sent; when they are told is decided here too (notices.go).
//
// Reading order: consumers.go, group.go, producers.go, manager.go, bounds.go, notices.go, locks.go.
package member
