// Package rig is what the programs that break brokers have in common: a client of the few requests they need, and a file system that
// can be filled, made to fail, or have its power cut.
package rig
