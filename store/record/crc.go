package record

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// The checksum property closes the properties of a record and covers everything before itself: its name, 0x01, ten
// decimal digits (least significant first, padded with '0'), 0x02.
const (
	crcName       = "__CRC32#"
	crcDigits     = 10
	crcPrefix     = crcName + "\x01"
	crcBlank      = crcPrefix + "0000000000\x02"
	CRCBytes      = len(crcBlank) // of the checksum property
	crcDigitsBack = crcDigits + 1 // from the end of the record to the first digit
)

// Plan is how properties will be stored.
type Plan struct {
	Bytes   int  // on disk; more than MaxPropertiesBytes cannot be stored
	CRC     bool // the checksum property is among them
	foreign bool // one came with them, of another record: it is left out
	closed  bool // without the checksum property: they end in a zero, and a separator is put behind it
}

// PlanProperties plans how properties are stored: with the checksum property if it is asked for, but not if they fit into
// MaxPropertiesBytes only without it. A checksum property that came with them is not counted. Without one of their own they must not end in
// a zero, which Verify takes for a tear.
func PlanProperties(properties []byte, appendCRC bool) Plan {
	n, last := len(properties), separatorPair
	if n > 0 {
		last = properties[n-1]
	}
	// Hardly any other name has the character it ends in, and looking for one byte is cheap.
	foreign := bytes.IndexByte(properties, crcName[len(crcName)-1]) >= 0 && findProperty(properties, crcName) >= 0
	if foreign {
		n, last = 0, separatorPair
		for rest := properties; len(rest) > 0; {
			var pair []byte
			pair, rest = cutPair(rest)
			if !named(pair, crcName) {
				n += len(pair)
				last = pair[len(pair)-1]
			}
		}
	}
	with := n + CRCBytes
	if last != separatorPair {
		with++
	}
	switch {
	case appendCRC && with <= MaxPropertiesBytes:
		return Plan{Bytes: with, CRC: true, foreign: foreign}
	case last == 0:
		return Plan{Bytes: n + 1, foreign: foreign, closed: true}
	}
	return Plan{Bytes: n, foreign: foreign}
}

// appendStoredProperties writes what was planned.
func appendStoredProperties(dst, properties []byte, p Plan) []byte {
	start := len(dst)
	if !p.foreign {
		dst = append(dst, properties...)
	} else {
		dst = DeleteProperty(dst, properties, crcName)
	}
	if p.closed {
		return append(dst, separatorPair)
	}
	if !p.CRC {
		return dst
	}
	if len(dst) > start && dst[len(dst)-1] != separatorPair {
		dst = append(dst, separatorPair)
	}
	return append(dst, crcBlank...)
}

// SealCRC computes the checksum property that Append reserved at the end of rec and writes its digits. rec is exactly one
// record with its place patched in. Without a reserved property it does nothing and returns false.
func SealCRC(rec []byte) bool {
	if !endsInCRC(rec) {
		return false
	}
	covered := len(rec) - CRCBytes
	putDigits(rec[len(rec)-crcDigitsBack:], crc32.ChecksumIEEE(rec[:covered])&checksumMask)
	return true
}

// VerifyPropCRC checks the checksum property of the record at the beginning of raw (which may be longer). present:
// the record ends in one; ok: it agrees with the bytes. A record that is too damaged to find its parts has none.
func VerifyPropCRC(raw []byte) (present, ok bool) {
	if len(raw) < fixedBytes {
		return false, false
	}
	size, magic := Header(raw)
	if magic != MagicV1 && magic != MagicV2 || size < fixedBytes || int(size) > len(raw) {
		return false, false
	}
	rec := raw[:size]
	if !endsInCRC(rec) {
		return false, false
	}
	covered := len(rec) - CRCBytes
	var want [crcDigits]byte
	putDigits(want[:], crc32.ChecksumIEEE(rec[:covered])&checksumMask)
	return true, string(want[:]) == string(rec[len(rec)-crcDigitsBack:len(rec)-1])
}

// endsInCRC says whether the properties of rec, exactly one record, end in a checksum property.
func endsInCRC(rec []byte) bool {
	if len(rec) < fixedBytes+CRCBytes {
		return false
	}
	p, ok := layout(rec, bodyLengthAt(int32(binary.BigEndian.Uint32(rec[sysFlagAt:]))))
	at := len(rec) - CRCBytes
	if !ok || at < p.properties || at > p.properties && rec[at-1] != separatorPair {
		return false
	}
	return string(rec[at:at+len(crcPrefix)]) == crcPrefix && rec[len(rec)-1] == separatorPair
}

// putDigits writes crc as ten decimal digits, the least significant first.
func putDigits(dst []byte, crc uint32) {
	for i := range crcDigits {
		dst[i] = byte('0' + crc%10)
		crc /= 10
	}
}
