package admin

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"ringmq/netpoll/remoting"
)

// transferVersion is the formatVersion of the document that export writes and import reads.
const transferVersion = 1

// transfer is what brokers have been told to have, and how far consumer groups are: the document of export. Every entry names the broker
// that it comes from.
type transfer struct {
	FormatVersion int               `json:"formatVersion"`
	Source        transferSource    `json:"source"`
	Topics        []transferTopic   `json:"topics"`
	Order         map[string]string `json:"orderTopics"` // topic: broker:queues;broker:queues, as name servers keep it
	Groups        []transferGroup   `json:"groups"`
	Offsets       []transferOffset  `json:"offsets"`

	// addedUp: a file of stock's exportMetadata. It names no broker, and with -c the queues of all brokers were added up.
	addedUp bool
}

// transferSource is where a document comes from.
type transferSource struct {
	Cluster string           `json:"cluster"`
	Time    int64            `json:"time"` // when the first broker was asked, in ms since 1970
	Brokers []transferBroker `json:"brokers"`
}

type transferBroker struct {
	Name    string `json:"name"`
	Addr    string `json:"addr"`
	Version string `json:"version"`
}

type transferTopic struct {
	Broker string                `json:"broker"`
	Config *remoting.TopicConfig `json:"config"`
}

type transferGroup struct {
	Broker string                            `json:"broker"`
	Config *remoting.SubscriptionGroupConfig `json:"config"`
}

// transferOffset is how far a group is in a queue: Offset is the next message that it consumes. StoreTimestamp, in ms, is when that
// message was stored; where there is none yet, a millisecond after the last one was stored, or the time of the document where the queue
// holds nothing. 0: it is not known.
type transferOffset struct {
	Group          string `json:"group"`
	Topic          string `json:"topic"`
	Broker         string `json:"broker"`
	QueueID        int32  `json:"queueId"`
	Offset         int64  `json:"offset"`
	StoreTimestamp int64  `json:"storeTimestamp"`
}

// sort puts the lists into an order that does not depend on who answered first: two exports of the same are the same.
func (t *transfer) sort() {
	slices.SortFunc(t.Source.Brokers, func(a, b transferBroker) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Addr, b.Addr), strings.Compare(a.Version, b.Version))
	})
	slices.SortFunc(t.Topics, func(a, b transferTopic) int {
		return cmp.Or(strings.Compare(a.Config.TopicName, b.Config.TopicName), strings.Compare(a.Broker, b.Broker))
	})
	slices.SortFunc(t.Groups, func(a, b transferGroup) int {
		return cmp.Or(strings.Compare(a.Config.GroupName, b.Config.GroupName), strings.Compare(a.Broker, b.Broker))
	})
	slices.SortFunc(t.Offsets, func(a, b transferOffset) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Topic, b.Topic), strings.Compare(a.Broker, b.Broker), cmp.Compare(a.QueueID, b.QueueID))
	})
}

// write writes the document with an entry on a line of its own, for people and for diff. formatVersion comes first: a reader knows by
// it whether it knows the rest.
func (t *transfer) write(to io.Writer) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "{\n\"formatVersion\": %d,\n\"source\": %s,\n\"orderTopics\": %s,\n", t.FormatVersion, toJSON(t.Source), toJSON(orEmpty(t.Order)))
	writeEntries(w, "topics", t.Topics, ",")
	writeEntries(w, "groups", t.Groups, ",")
	writeEntries(w, "offsets", t.Offsets, "")
	fmt.Fprintf(w, "}\n")
	return w.Flush()
}

func writeEntries[T any](w io.Writer, name string, all []T, end string) {
	fmt.Fprintf(w, "%q: [", name)
	for i := range all {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, "\n%s", toJSON(all[i]))
	}
	fmt.Fprintf(w, "\n]%s\n", end)
}

// Bounds of a file that is read. An entry takes about five times its length in memory.
const (
	maxTransferBytes = 256 << 20
	maxStockBytes    = 64 << 20 // of one of exportMetadata's
	maxNameBytes     = 255      // of a topic, a group or a broker: stock has no longer one
)

// readTransfer reads a document of export's, or one of exportMetadata's. An error says what is wrong, and where.
func readTransfer(text []byte) (*transfer, error) {
	if len(text) > maxTransferBytes {
		return nil, fmt.Errorf("longer than %d bytes", maxTransferBytes)
	}
	r := transferReader{text: text, d: json.NewDecoder(bytes.NewReader(text)), t: &transfer{Order: map[string]string{}}}
	r.d.DisallowUnknownFields()
	if err := r.document(); err != nil {
		return nil, err
	}
	for _, e := range r.t.Topics {
		if e.Config.TopicFilterType == "" {
			e.Config.TopicFilterType = "SINGLE_TAG" // there is no other, and brokers want to be told
		}
	}
	r.t.sort()
	return r.t, nil
}

// transferReader reads entry by entry, so that what is no entry costs no memory.
type transferReader struct {
	text []byte
	d    *json.Decoder
	t    *transfer
}

// at says where the reader is, in lines of the file.
func (r *transferReader) at() string {
	n := min(max(int(r.d.InputOffset()), 0), len(r.text))
	return fmt.Sprintf("line %d", 1+bytes.Count(r.text[:n], []byte{'\n'}))
}

func (r *transferReader) document() error {
	first, err := r.d.Token()
	if err != nil || first != json.Delim('{') {
		return fmt.Errorf("%s: no JSON object, and so no export", r.at())
	}
	for n := 0; r.d.More(); n++ {
		token, err := r.d.Token()
		if err != nil {
			return fmt.Errorf("%s: %w", r.at(), err)
		}
		key, _ := token.(string)
		if n == 0 && key != "formatVersion" {
			return r.stock()
		}
		if err := r.member(key); err != nil {
			return err
		}
	}
	if _, err := r.d.Token(); err != nil {
		return fmt.Errorf("%s: the document does not end: %w", r.at(), err)
	}
	if _, err := r.d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: there is something behind the document", r.at())
	}
	if r.t.FormatVersion == 0 {
		return fmt.Errorf("%s: no formatVersion, and so no export of ringmq", r.at())
	}
	return r.once()
}

func (r *transferReader) member(key string) error {
	switch key {
	case "formatVersion":
		if err := r.d.Decode(&r.t.FormatVersion); err != nil {
			return fmt.Errorf("%s: formatVersion: %w", r.at(), err)
		}
		if v := r.t.FormatVersion; v != transferVersion {
			return fmt.Errorf("formatVersion %d: this program knows %d; use the release that wrote the file, or a later one", v, transferVersion)
		}
		return nil
	case "source":
		if err := r.d.Decode(&r.t.Source); err != nil {
			return fmt.Errorf("%s: source: %w", r.at(), err)
		}
		return nil
	case "orderTopics":
		if err := r.d.Decode(&r.t.Order); err != nil {
			return fmt.Errorf("%s: orderTopics: %w", r.at(), err)
		}
		return nil
	case "topics":
		return readEntries(r, key, &r.t.Topics, func(e *transferTopic) error {
			if e.Config == nil {
				return errors.New("it has no config")
			}
			return namesOK("topicName", e.Config.TopicName, "broker", e.Broker)
		})
	case "groups":
		return readEntries(r, key, &r.t.Groups, func(e *transferGroup) error {
			if e.Config == nil {
				return errors.New("it has no config")
			}
			return namesOK("groupName", e.Config.GroupName, "broker", e.Broker)
		})
	case "offsets":
		return readEntries(r, key, &r.t.Offsets, func(e *transferOffset) error {
			if e.QueueID < 0 || e.Offset < 0 || e.StoreTimestamp < 0 {
				return fmt.Errorf("queueId %d, offset %d, storeTimestamp %d: none may be below 0", e.QueueID, e.Offset, e.StoreTimestamp)
			}
			return namesOK("group", e.Group, "topic", e.Topic, "broker", e.Broker)
		})
	}
	return fmt.Errorf("%s: %q is no part of an export", r.at(), clip(key))
}

// readEntries reads a list, and looks at every entry as it comes.
func readEntries[T any](r *transferReader, name string, all *[]T, ok func(e *T) error) error {
	if open, err := r.d.Token(); err != nil || open != json.Delim('[') {
		return fmt.Errorf("%s: %s is no list", r.at(), name)
	}
	for i := len(*all); r.d.More(); i++ {
		var e T
		err := r.d.Decode(&e)
		if err == nil {
			err = ok(&e)
		}
		if err != nil {
			return fmt.Errorf("%s: %s[%d]: %w", r.at(), name, i, err)
		}
		*all = append(*all, e)
	}
	if _, err := r.d.Token(); err != nil {
		return fmt.Errorf("%s: %s does not end: %w", r.at(), name, err)
	}
	return nil
}

// namesOK looks at names, each after what it is the name of.
func namesOK(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		switch n := len(pairs[i+1]); {
		case n == 0:
			return fmt.Errorf("it has no %s", pairs[i])
		case n > maxNameBytes:
			return fmt.Errorf("%s has %d bytes, more than %d", pairs[i], n, maxNameBytes)
		}
	}
	return nil
}

// clip keeps a foreign text short enough for a line.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}

// once refuses what stands twice: nobody knows which of the two is meant.
func (r *transferReader) once() error {
	seen := map[string]int{}
	twice := func(list string, i int, key ...string) error {
		k := list + "\x00" + strings.Join(key, "\x00")
		if before, there := seen[k]; there {
			return fmt.Errorf("%s[%d] is %s[%d] again: %s", list, i, list, before, strings.Join(key, ", "))
		}
		seen[k] = i
		return nil
	}
	for i, e := range r.t.Topics {
		if err := twice("topics", i, e.Config.TopicName, e.Broker); err != nil {
			return err
		}
	}
	for i, e := range r.t.Groups {
		if err := twice("groups", i, e.Config.GroupName, e.Broker); err != nil {
			return err
		}
	}
	for i, e := range r.t.Offsets {
		if err := twice("offsets", i, e.Group, e.Topic, e.Broker, fmt.Sprint("queue ", e.QueueID)); err != nil {
			return err
		}
	}
	return nil
}

// stock reads a file of exportMetadata's, ours or stock's: topics and groups by name, of no broker in particular.
func (r *transferReader) stock() error {
	if len(r.text) > maxStockBytes {
		return fmt.Errorf("the first key is not formatVersion, and for a file of exportMetadata's it is too long: more than %d bytes", maxStockBytes)
	}
	var m metadata
	if err := remoting.Unmarshal(r.text, &m); err != nil {
		return fmt.Errorf("neither an export of ringmq (its first key is formatVersion) nor a file of exportMetadata's: %w", err)
	}
	if m.Topics == nil && m.Groups == nil {
		return errors.New("neither an export of ringmq (its first key is formatVersion) nor a file of exportMetadata's (it has a topicConfigTable or a subscriptionGroupTable)")
	}
	r.t = &transfer{FormatVersion: transferVersion, Source: transferSource{Time: m.Time}, Order: map[string]string{}, addedUp: true}
	for name, c := range m.Topics {
		if c == nil || c.TopicName != name || len(name) > maxNameBytes {
			return fmt.Errorf("topicConfigTable: %q is no topic of that name", clip(name))
		}
		r.t.Topics = append(r.t.Topics, transferTopic{Config: c})
	}
	for name, c := range m.Groups {
		if c == nil || c.GroupName != name || len(name) > maxNameBytes {
			return fmt.Errorf("subscriptionGroupTable: %q is no group of that name", clip(name))
		}
		r.t.Groups = append(r.t.Groups, transferGroup{Config: c})
	}
	return nil
}
