package record

import "encoding/binary"

// PrefixBytes of a record hold every field of fixed place, and the store timestamp whatever the born host's size.
const PrefixBytes = 80

// StoreTimestampOf reads the store timestamp (ms) out of the first PrefixBytes of a record. It lies behind the born host,
// whose size a bit of the flags tells.
func StoreTimestampOf(head []byte) int64 {
	at := storeTimestampAtV4
	if binary.BigEndian.Uint32(head[sysFlagAt:])&uint32(SysFlagBornHostV6) != 0 {
		at += v6ExtraBytes
	}
	return int64(binary.BigEndian.Uint64(head[at:]))
}
