package admin

import "fmt"

// versionName is stock's name of the release with an ordinal, which is what servers and clients say of themselves. From 4.0.0 on
// every release has a snapshot before it and every minor number ten releases; older ones do not occur any more.
func versionName(ordinal int32) string {
	const v400 = 212 // its snapshot
	n := (ordinal - v400) / 2
	if ordinal < v400 || n >= 200 {
		return fmt.Sprintf("ordinal %d", ordinal)
	}
	name := fmt.Sprintf("V%d_%d_%d", 4+n/100, n/10%10, n%10)
	if (ordinal-v400)%2 == 0 {
		name += "_SNAPSHOT"
	}
	return name
}
