package main

import (
	"fmt"
	"net"
)

// notify tells the service manager that started this process about its state, as sd_notify(3) describes: "READY=1", "STOPPING=1".
// Without one (NOTIFY_SOCKET is not set) it does nothing.
func notify(getenv func(string) string, state string) error {
	name := getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"}) // a leading @ is of the abstract kind, here too
	if err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	return nil
}
