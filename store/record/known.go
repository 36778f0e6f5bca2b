package record

import (
	"encoding/binary"
	"math/bits"
)

// Known are the properties of one message that brokers and stores look at, found in one walk. A nil value: the property is
// not there, or does not count (see Property). All alias the properties they were found in.
type Known struct {
	Keys, Tags, UniqKey, Wait, Delay, Transaction       []byte
	Region, Trace, Cluster, PopCheck, TimerWhen         []byte
	Sharding, StartDeliver                              []byte
	InnerNum, InnerBase, RealTopic, RealQueue, Checksum []byte

	HasChecksum bool // a pair of that name is there, with or without a value
}

// Scan finds them. It does not allocate.
func (k *Known) Scan(properties []byte) {
	*k = Known{}
	for at := 0; at < len(properties); {
		name := at
		at = separator(properties, at)
		if at == len(properties) || properties[at] != separatorName {
			// A pair without 0x01, or a byte below it in the name: the general rules.
			at = k.odd(properties, name)
			continue
		}
		value := at + 1
		end := separator(properties, value)
		for end < len(properties) && properties[end] != separatorPair {
			end = separator(properties, end+1)
		}
		if p := k.place(properties[name:at]); p != nil && end > value {
			*p = properties[value:end:end]
		}
		at = end + 1
	}
}

// separator returns the position of the first byte at or behind i that is no larger than a separator, len(p) if there is none. It looks
// at eight bytes at once: the borrow of the subtraction marks the lowest such.
func separator(p []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(p); i += 8 {
		v := binary.LittleEndian.Uint64(p[i:])
		if found := (v - ones*uint64(separatorPair+1)) &^ v & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(p) && p[i] > separatorPair {
		i++
	}
	return i
}

// odd takes one pair by the general rules, and returns where the next begins.
func (k *Known) odd(properties []byte, from int) int {
	pair, rest := cutPair(properties[from:])
	EachProperty(pair, func(name, value []byte) bool {
		if p := k.place(name); p != nil {
			*p = value
		}
		return true
	})
	return len(properties) - len(rest)
}

// place is where the value of a name goes; nil for names that nobody looks at.
func (k *Known) place(name []byte) *[]byte {
	switch string(name) {
	case PropertyUniqKey:
		return &k.UniqKey
	case PropertyWait:
		return &k.Wait
	case PropertyTags:
		return &k.Tags
	case PropertyKeys:
		return &k.Keys
	case PropertyRegion:
		return &k.Region
	case PropertyTrace:
		return &k.Trace
	case PropertyCluster:
		return &k.Cluster
	case PropertyDelay:
		return &k.Delay
	case PropertySharding:
		return &k.Sharding
	case PropertyStartDeliver:
		return &k.StartDeliver
	case PropertyTransaction:
		return &k.Transaction
	case PropertyPopCheck:
		return &k.PopCheck
	case PropertyTimerDelaySec, PropertyTimerDelayMs, PropertyTimerDeliverMs:
		return &k.TimerWhen
	case PropertyInnerNum:
		return &k.InnerNum
	case PropertyInnerBase:
		return &k.InnerBase
	case PropertyRealTopic:
		return &k.RealTopic
	case PropertyRealQueue:
		return &k.RealQueue
	case crcName:
		k.HasChecksum = true
		return &k.Checksum
	}
	return nil
}
