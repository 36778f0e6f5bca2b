package store

import "bytes"

// maxTopicBytes is how long a topic may be: it names a folder.
const maxTopicBytes = 255

// validTopic says whether a topic can have queues: their folder is named as it is, and must lie where it belongs.
func validTopic[T []byte | string](topic T) bool {
	b := []byte(topic)
	switch {
	case len(b) == 0, len(b) > maxTopicBytes:
		return false
	case b[0] == '.' && (len(b) == 1 || len(b) == 2 && b[1] == '.'):
		return false
	}
	return bytes.IndexByte(b, '/') < 0 && bytes.IndexByte(b, 0) < 0
}
