package admin

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"ringmq/store/record"
)

// message is a record as a client has it. Its slices are its own.
type message struct {
	record.Record
	properties []pair
	raw        int    // bytes of the stored record
	broker     string // name of the one it was pulled from; "" where it was found another way
}

// parseMessages reads the records of an answer.
func parseMessages(body []byte) ([]*message, error) {
	var all []*message
	for len(body) > 0 {
		m := &message{}
		if err := m.Parse(body); err != nil {
			return all, fmt.Errorf("a message in the answer cannot be read: %w", err)
		}
		m.raw = int(m.TotalSize)
		record.EachProperty(m.Properties, func(name, value []byte) bool {
			m.properties = append(m.properties, pair{string(name), string(value)})
			return true
		})
		body = body[m.TotalSize:]
		all = append(all, m)
	}
	return all, nil
}

// property is "" where there is none.
func (m *message) property(name string) string {
	v := ""
	for _, p := range m.properties {
		if p.key == name {
			v = p.value
		}
	}
	return v
}

func (m *message) tags() string { return m.property(record.PropertyTags) }

func (m *message) keys() string { return m.property(record.PropertyKeys) }

// offsetID names where the message lies.
func (m *message) offsetID() string {
	return string(record.AppendOffsetID(nil, m.StoreHost, m.PhysicalOffset))
}

// id is what clients call the message: the id that its producer gave it, or where it lies.
func (m *message) id() string {
	if id := m.property(record.PropertyUniqKey); id != "" {
		return id
	}
	return m.offsetID()
}

// maxBodyBytes bounds what a compressed body may grow to.
const maxBodyBytes = 64 << 20

// Kinds of compression in a record's flags.
const (
	compressionMask = 0x700
	compressionLZ4  = 0x100
	compressionZstd = 0x200
)

// body is what the producer sent: compressed bodies are inflated. One that cannot be is as it is stored.
func (m *message) body() []byte {
	if m.SysFlag&record.SysFlagCompressed == 0 {
		return m.Body
	}
	var r io.Reader
	switch m.SysFlag & compressionMask {
	case compressionLZ4:
		return m.Body
	case compressionZstd:
		z, err := zstd.NewReader(bytes.NewReader(m.Body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBodyBytes))
		if err != nil {
			return m.Body
		}
		defer z.Close()
		r = z
	default:
		z, err := zlib.NewReader(bytes.NewReader(m.Body))
		if err != nil {
			return m.Body
		}
		r = z
	}
	body, err := io.ReadAll(io.LimitReader(r, maxBodyBytes+1))
	if err != nil || len(body) > maxBodyBytes {
		return m.Body
	}
	return body
}

// hostText is an address as Java prints one that was never looked up by name.
func hostText(a netip.AddrPort) string { return "/" + a.String() }

// javaProperties is the capacity that clients give the map of a message's properties.
const javaProperties = 128

// text prints the message as stock's toString does. minOffset and maxOffset: of the queue, as the pull told them, which clients add to
// the properties.
func (m *message) text(minOffset, maxOffset int64) string {
	properties := append(m.properties[:len(m.properties):len(m.properties)], pair{"MIN_OFFSET", strconv.FormatInt(minOffset, 10)}, pair{"MAX_OFFSET", strconv.FormatInt(maxOffset, 10)})
	var bytes strings.Builder
	for i, b := range m.body() {
		if i > 0 {
			bytes.WriteString(", ")
		}
		bytes.WriteString(strconv.Itoa(int(int8(b))))
	}
	return fmt.Sprintf("MessageExt [brokerName=%s, queueId=%d, storeSize=%d, queueOffset=%d, sysFlag=%d, bornTimestamp=%d, bornHost=%s, storeTimestamp=%d, storeHost=%s, msgId=%s, "+
		"commitLogOffset=%d, bodyCRC=%d, reconsumeTimes=%d, preparedTransactionOffset=%d, toString()=Message{topic='%s', flag=%d, properties=%s, body=[%s], transactionId='%s'}]",
		null(m.broker), m.QueueID, m.raw, m.QueueOffset, m.SysFlag, m.BornTimestamp, hostText(m.BornHost), m.StoreTimestamp, hostText(m.StoreHost), m.offsetID(),
		m.PhysicalOffset, m.BodyCRC, m.ReconsumeTimes, m.PreparedTransactionOffset, m.Topic, m.Flag, mapText(properties, javaProperties), bytes.String(), m.transactionID())
}

// transactionID is the id of its producer, in a message of a transaction.
func (m *message) transactionID() string {
	if !strings.EqualFold(m.property(record.PropertyTransaction), "true") {
		return "null"
	}
	return null(m.property(record.PropertyUniqKey))
}

// messageCols are the columns of messages outside of tables for people. CSV and JSON have all of them.
func messageCols() []Col {
	var cols []Col
	for _, key := range []string{"msgId", "offsetMsgId", "topic", "tags", "keys", "brokerName", "queueId", "queueOffset", "commitLogOffset", "storeSize", "reconsumeTimes",
		"bornTimestamp", "storeTimestamp", "bornHost", "storeHost", "sysFlag", "flag", "properties", "body", "bodyBase64"} {
		cols = append(cols, Col{"", key})
	}
	return cols
}

// messageRow has a body that is text as text, and another one in base64.
func (m *message) row(withBody bool) []any {
	properties := map[string]string{}
	for _, p := range m.properties {
		properties[p.key] = p.value
	}
	var text, coded any
	if body := m.body(); withBody && utf8.Valid(body) {
		text = string(body)
	} else if withBody {
		coded = body
	}
	return []any{m.id(), m.offsetID(), string(m.Topic), m.tags(), m.keys(), m.broker, m.QueueID, m.QueueOffset, m.PhysicalOffset, m.TotalSize, m.ReconsumeTimes,
		m.BornTimestamp, m.StoreTimestamp, m.BornHost.String(), m.StoreHost.String(), m.SysFlag, m.Flag, properties, text, coded}
}

// saveBody writes the body to a file of its own, as stock does, and returns its name. A file that is there is replaced and never
// written through: the folder may be anybody's.
func (m *message) saveBody(dir string, index int) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name := m.id()
	if index > 0 {
		name += "_" + strconv.Itoa(index)
	}
	file := filepath.Join(dir, filepath.Base(name))
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		return "", err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	_, err = f.Write(m.body())
	if closed := f.Close(); err == nil {
		err = closed
	}
	return file, err
}
