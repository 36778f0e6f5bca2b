// Package record is what RocketMQ's store looks like as bytes: the message record of the commit log, the consume queue
// unit, the key index's header and entry, the checkpoint, and the small texts inside them (properties, message ids,
// Java's string hash). It does no I/O, keeps no state and, on every path a message takes, allocates nothing.
//
// Reading order:
//
//   - record.go: the message record and how it is parsed; append.go: how it is written, sized and given its place; look.go: what lies at a
//     place of a log, and where in damaged bytes something can begin;
//   - crc.go: the checksum of the body and the checksum property over the whole record;
//   - verify.go: what is wrong with a record;
//   - properties.go: the properties string; known.go: those that are looked at, in one walk; hash.go: Java's String.hashCode over UTF-8; ids.go: offset ids and unique keys;
//   - names.go: how files are named after their first byte;
//   - batch.go: the items in the body of a batch send;
//   - unit.go: the consume queue unit; keyindex.go: the index file's header and entry; checkpoint.go: the checkpoint file.
//
// All numbers on disk are big-endian. See docs/DISK.md for the formats.
//
// A parsed structure aliases the bytes it was parsed from: it is valid as long as they are. Lengths found in the bytes
// are checked against the bytes at hand before they are used.
package record
