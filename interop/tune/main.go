// Tune is what interop/tune.sh looks at a real host with.
//
//	tune device DIR          the block device that is mounted under DIR, as ringmq tune finds it
//	tune look DIR FILE       every value that ringmq tune reads for a store in DIR, and what lies around them, into FILE
//	tune same A B [AGAIN]    whether two looks agree byte for byte; what A and AGAIN say differently moves by itself and does not count
//	tune applied FILE        whether what ringmq tune --apply -o json says it has set is what the kernel's files say; exit code 3: nothing can be set here
//	tune cold FILE           KiB that come from the disk for a message, when cold messages are read; FILE is made if it is not there
//	tune burst ADDRESS       how many of a thousand clients that come at once are connected, though nobody accepts them
//	tune dirty FILE          MiB that are in memory and not on the disk at most, while a program writes FILE
//
// Reading order: main.go, look.go, figures.go.
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	err := run(os.Args[1:])
	if errors.Is(err, errNotHere) {
		os.Exit(3)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tune:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: tune device|look|same|applied|cold|burst|dirty ARGUMENTS")
	}
	switch words := args[1:]; {
	case args[0] == "device":
		return device(words[0])
	case args[0] == "look" && len(words) == 2:
		return look(words[0], words[1])
	case args[0] == "same" && len(words) >= 2:
		return same(words[0], words[1], words[2:]...)
	case args[0] == "applied":
		return applied(words[0])
	case args[0] == "cold":
		return cold(words[0])
	case args[0] == "burst":
		return burst(words[0])
	case args[0] == "dirty":
		return dirty(words[0])
	}
	return fmt.Errorf("%s with %d arguments is not known", args[0], len(args)-1)
}
