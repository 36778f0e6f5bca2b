// Package remoting is Apache RocketMQ's remoting command as bytes: frames, both header encodings, codes, typed headers for
// the hot paths and the JSON bodies that broker and name server share. It does no I/O and keeps no state.
//
// Reading order: codes.go, codenames.go, language.go, access.go (the numbers, and who may ask what), command.go (one decoded frame), frame.go (the length word), json.go, json_escape.go, json_send.go, json_write.go
// and binary.go (the two header encodings), builder.go (answers written in place), header_*.go (typed headers), body_*.go and
// codeset.go (JSON bodies), dialect.go (the reference broker's JSON dialect made standard), peer.go (how ours know each other), names.go
// (lists of name servers).
package remoting
