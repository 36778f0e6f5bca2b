package meta

import (
	"bytes"
	"strings"
)

const (
	maxTopicChars = 127 // of every topic, %RETRY% and %DLQ% too
	maxGroupChars = 255
)

// CheckTopicName returns stock's words for what is wrong with the topic that a request names, "" if it is good. No allocation
// for a good one. Topics that the broker makes itself are not asked: a group's retry topic may be longer than a name in a send.
func CheckTopicName(name []byte) string {
	if len(bytes.TrimSpace(name)) == 0 {
		return "The specified topic is blank."
	}
	for _, ch := range name {
		if !legal(ch) {
			return "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
		}
	}
	if len(name) > maxTopicChars {
		return "The specified topic is longer than topic max length."
	}
	return ""
}

// CheckStoredTopicName is CheckTopicName for a topic that may be one of a group's: the store makes folders of such names, and a
// request must not make it leave its own.
func CheckStoredTopicName(name string) string {
	for _, prefix := range []string{RetryPrefix, DLQPrefix} {
		if group, ok := strings.CutPrefix(name, prefix); ok && CheckGroupName(group) == "" {
			return ""
		}
	}
	return CheckTopicName([]byte(name))
}

// CheckGroupName is CheckTopicName for consumer groups. Topics are named after them, so it is asked again before that: a group in a
// file of another broker may have any name.
func CheckGroupName(name string) string {
	if strings.TrimSpace(name) == "" {
		return "The specified group is blank."
	}
	for i := 0; i < len(name); i++ {
		if !legal(name[i]) {
			return "The specified group contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
		}
	}
	if len(name) > maxGroupChars {
		return "The specified group is longer than group max length."
	}
	return ""
}

func legal(ch byte) bool {
	return ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || ch == '%' || ch == '|' || ch == '_' || ch == '-'
}
