// Package local says what the kernel tells of this machine: its addresses, which process listens at one of them, and what a process is and has
// used. It imports nothing of ours: who measures a broker, who examines one and who ends one ask the same questions.
//
// Reading order: listener.go (the process behind an address), process.go (what is read of one).
package local
