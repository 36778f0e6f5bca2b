package remoting

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
)

// RegisterBrokerBody is the request body of 103.
type RegisterBrokerBody struct {
	FilterServerList            []string         `json:"filterServerList"`
	TopicConfigSerializeWrapper TopicConfigTable `json:"topicConfigSerializeWrapper"`
}

// maxRegisterBytes bounds what a compressed registration may grow to: half a million topics.
const maxRegisterBytes = 32 << 20

// RegisterBodyExceeds says that a registration has more than so many bytes when it is read. It looks at little more than these.
func RegisterBodyExceeds(body []byte, compressed bool, bytesRead int64) bool {
	if !compressed || int64(len(body)) > bytesRead {
		return int64(len(body)) > bytesRead
	}
	z, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return false
	}
	defer z.Close()
	n, _ := io.CopyN(io.Discard, z, bytesRead+1)
	return n > bytesRead
}

// BodyCRC is the checksum a broker sends beside its registration.
func BodyCRC(body []byte) uint32 { return crc32.ChecksumIEEE(body) & 0x7FFFFFFF }

// DecodeRegisterBody reads a registration of either form. version is the sender's; it tells which parts a compressed body has.
func DecodeRegisterBody(body []byte, compressed bool, version int32) (*RegisterBrokerBody, error) {
	b := new(RegisterBrokerBody)
	if len(body) > 0 {
		if compressed {
			if err := b.decodeCompressed(body, version, maxRegisterBytes); err != nil {
				return nil, fmt.Errorf("remoting: compressed registration: %w", err)
			}
		} else if err := Unmarshal(body, b); err != nil {
			return nil, err
		}
	}
	if b.TopicConfigSerializeWrapper.TopicConfigTable == nil {
		b.TopicConfigSerializeWrapper.TopicConfigTable = map[string]*TopicConfig{}
	}
	for name, t := range b.TopicConfigSerializeWrapper.TopicConfigTable {
		if t == nil {
			delete(b.TopicConfigSerializeWrapper.TopicConfigTable, name)
		}
	}
	return b, nil
}

// decodeCompressed reads at most limit inflated bytes.
func (b *RegisterBrokerBody) decodeCompressed(body []byte, version int32, limit int64) error {
	z, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer z.Close()
	r := bufio.NewReader(io.LimitReader(z, limit))
	text, err := readText(r)
	if err != nil {
		return err
	}
	w := &b.TopicConfigSerializeWrapper
	if err := Unmarshal(text, &w.DataVersion); err != nil {
		return err
	}
	count, err := readCount(r)
	if err != nil {
		return err
	}
	w.TopicConfigTable = map[string]*TopicConfig{}
	for range count {
		if text, err = readText(r); err != nil {
			return err
		}
		if t, ok := parseTopicLine(string(text)); ok {
			w.TopicConfigTable[t.TopicName] = t
		}
	}
	if text, err = readText(r); err != nil {
		return err
	}
	if err := Unmarshal(text, &b.FilterServerList); err != nil {
		return err
	}
	const withMapping = 413
	if version < withMapping {
		return nil
	}
	if count, err = readCount(r); err != nil {
		return err
	}
	w.TopicQueueMappingInfoMap = map[string]any{}
	for range count {
		if text, err = readText(r); err != nil {
			return err
		}
		var m map[string]any
		if err := Unmarshal(text, &m); err != nil {
			return err
		}
		if topic, ok := m["topic"].(string); ok {
			w.TopicQueueMappingInfoMap[topic] = m
		}
	}
	return nil
}

func readCount(r io.Reader) (int32, error) {
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return 0, err
	}
	c := int32(binary.BigEndian.Uint32(n[:]))
	if c < 0 {
		return 0, fmt.Errorf("a count of %d", c)
	}
	return c, nil
}

// readText reads a text behind its i32 length. It grows with what is there, not with what the length claims.
func readText(r io.Reader) ([]byte, error) {
	n, err := readCount(r)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if m, err := io.CopyN(&b, r, int64(n)); err != nil {
		return nil, fmt.Errorf("text of %d bytes ends after %d: %w", n, m, err)
	}
	return b.Bytes(), nil
}

// parseTopicLine reads "name read write perm filterType attributes".
func parseTopicLine(line string) (*TopicConfig, bool) {
	words := strings.SplitN(line, " ", 6)
	if len(words) < 5 {
		return nil, false
	}
	var n [3]int32
	for i := range n {
		v, err := strconv.ParseInt(words[1+i], 10, 32)
		if err != nil {
			return nil, false
		}
		n[i] = int32(v)
	}
	t := NewTopicConfig(words[0], n[0], n[2])
	t.WriteQueueNums, t.TopicFilterType = n[1], words[4]
	if len(words) == 6 {
		_ = json.Unmarshal([]byte(words[5]), &t.Attributes) // stock, too, takes the topic without them
		if t.Attributes == nil {
			t.Attributes = map[string]string{}
		}
	}
	return &t, true
}
