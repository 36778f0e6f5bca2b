package record

import "bytes"

// A properties string is `name 0x01 value 0x02` repeated; the last 0x02 may be missing.
const (
	separatorName byte = 0x01
	separatorPair byte = 0x02
)

// Names of properties that brokers and stores look at.
const (
	PropertyKeys           = "KEYS"
	PropertyTags           = "TAGS"
	PropertyUniqKey        = "UNIQ_KEY"
	PropertyWait           = "WAIT"
	PropertyDelay          = "DELAY"
	PropertyInnerNum       = "INNER_NUM"
	PropertyInnerBase      = "INNER_BASE"
	PropertyCRC            = crcName
	PropertyRealTopic      = "REAL_TOPIC"
	PropertyRealQueue      = "REAL_QID"
	PropertyTransGroup     = "PGROUP"
	PropertyRegion         = "MSG_REGION"
	PropertyTrace          = "TRACE_ON"
	PropertyCluster        = "CLUSTER"
	PropertyTransaction    = "TRAN_MSG"
	PropertyPopCheck       = "POP_CK"
	PropertyTimerDelaySec  = "TIMER_DELAY_SEC"
	PropertyTimerDelayMs   = "TIMER_DELAY_MS"
	PropertyTimerDeliverMs = "TIMER_DELIVER_MS"
	PropertySharding       = "__SHARDINGKEY"
	PropertyStartDeliver   = "__STARTDELIVERTIME"
)

// Property returns the value of name, aliasing properties. As in Java's reader a pair without a name, without 0x01 or
// with an empty value does not count, and of several pairs with the same name the last one does.
func Property(properties []byte, name string) (value []byte, ok bool) {
	for rest := properties; len(rest) > 0; {
		var pair []byte
		pair, rest = cutPair(rest)
		if named(pair, name) {
			if v := pairValue(pair, len(name)); len(v) > 0 {
				value, ok = v, true
			}
		}
	}
	return value, ok
}

// EachProperty calls fn for every pair that counts, in order, until fn returns false. Both slices alias properties.
func EachProperty(properties []byte, fn func(name, value []byte) bool) {
	for rest := properties; len(rest) > 0; {
		var pair []byte
		pair, rest = cutPair(rest)
		n := bytes.IndexByte(pair, separatorName)
		if n <= 0 {
			continue
		}
		if v := pairValue(pair, n); len(v) > 0 && !fn(pair[:n], v) {
			return
		}
	}
}

// AppendProperty appends `name 0x01 value 0x02`. dst must be empty or end in a whole pair: see ClosedProperties.
func AppendProperty(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, separatorName)
	dst = append(dst, value...)
	return append(dst, separatorPair)
}

// AppendPropertyBytes is AppendProperty for a value that is not a string.
func AppendPropertyBytes(dst []byte, name string, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, separatorName)
	dst = append(dst, value...)
	return append(dst, separatorPair)
}

// ClosedProperties says whether a pair may be appended to properties as they are: they are empty or end in 0x02.
func ClosedProperties(properties []byte) bool {
	return len(properties) == 0 || properties[len(properties)-1] == separatorPair
}

// DeleteProperty appends properties to dst without the pairs named. What remains is copied as it is. dst may be
// properties[:0].
func DeleteProperty(dst, properties []byte, names ...string) []byte {
next:
	for rest := properties; len(rest) > 0; {
		var pair []byte
		pair, rest = cutPair(rest)
		for _, name := range names {
			if named(pair, name) {
				continue next
			}
		}
		dst = append(dst, pair...)
	}
	return dst
}

// cutPair splits the first pair, with its 0x02, from p, which is not empty.
func cutPair(p []byte) (pair, rest []byte) {
	if i := bytes.IndexByte(p, separatorPair); i >= 0 {
		return p[:i+1], p[i+1:]
	}
	return p, nil
}

// named says whether pair is `name 0x01 ...`. No name is no property's.
func named(pair []byte, name string) bool {
	return name != "" && len(pair) > len(name) && pair[len(name)] == separatorName && string(pair[:len(name)]) == name
}

// pairValue is what stands between the 0x01 at position at and the closing 0x02, if there is one.
func pairValue(pair []byte, at int) []byte {
	v := pair[at+1:]
	if n := len(v); n > 0 && v[n-1] == separatorPair {
		v = v[:n-1]
	}
	return v
}

// findProperty returns where a pair called name begins, whatever its value, or -1.
func findProperty(properties []byte, name string) int {
	for at := 0; at < len(properties); {
		i := bytes.Index(properties[at:], []byte(name)) // the conversion of a constant-like short name stays on the stack
		if i < 0 {
			return -1
		}
		at += i
		if (at == 0 || properties[at-1] == separatorPair) && named(properties[at:], name) {
			return at
		}
		at++
	}
	return -1
}
