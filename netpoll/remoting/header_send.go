package remoting

import "fmt"

// SendHeader is the typed header of SEND_MESSAGE (10, long names) and SEND_MESSAGE_V2 and SEND_BATCH_MESSAGE (310 and 320,
// one letter each). Its slices alias the command.
type SendHeader struct {
	ProducerGroup         []byte
	Topic                 []byte
	DefaultTopic          []byte
	DefaultTopicQueueNums int32
	QueueID               int32
	SysFlag               int32
	BornTimestamp         int64
	Flag                  int32
	Properties            []byte
	ReconsumeTimes        int32
	UnitMode              bool
	MaxReconsumeTimes     int32
	HasMaxReconsumeTimes  bool
	Batch                 bool
}

// sendNames are the long names, by which V1 sends what the other forms call a, b, c ...
var sendNames = [...]string{"producerGroup", "topic", "defaultTopic", "defaultTopicQueueNums", "queueId", "sysFlag", "bornTimestamp", "flag",
	"properties", "reconsumeTimes", "unitMode", "maxReconsumeTimes", "batch"}

// sendLetter is the letter of a long name, 0 for a name that is none of them.
func sendLetter(name []byte) byte {
	switch string(name) {
	case "producerGroup":
		return 'a'
	case "topic":
		return 'b'
	case "defaultTopic":
		return 'c'
	case "defaultTopicQueueNums":
		return 'd'
	case "queueId":
		return 'e'
	case "sysFlag":
		return 'f'
	case "bornTimestamp":
		return 'g'
	case "flag":
		return 'h'
	case "properties":
		return 'i'
	case "reconsumeTimes":
		return 'j'
	case "unitMode":
		return 'k'
	case "maxReconsumeTimes":
		return 'l'
	case "batch":
		return 'm'
	}
	return 0
}

// MissingError is a mandatory field that a request lacks, worded as stock words it.
type MissingError struct{ Key string }

func (e *MissingError) Error() string { return fmt.Sprintf("the custom field <%s> is null", e.Key) }

// mandatorySend are the fields that the reference broker cannot do without; that others are absent it only logs.
const mandatorySend = "befgh"

// Decode reads the header out of a request with code 10, 310 or 320. It allocates only to report an error.
func (h *SendHeader) Decode(c *Command) error {
	*h = SendHeader{}
	var seen uint32
	fields := c.Fields()
	for i := range fields {
		f := &fields[i]
		letter := byte(0)
		if c.Code == CodeSendMessage {
			letter = sendLetter(f.Key)
		} else if len(f.Key) == 1 {
			letter = f.Key[0]
		}
		if letter < 'a' || letter > 'm' || c.null(f) {
			continue
		}
		seen |= 1 << (letter - 'a')
		if err := h.field(letter, f); err != nil {
			return err
		}
	}
	for i := 0; i < len(mandatorySend); i++ {
		if seen&(1<<(mandatorySend[i]-'a')) == 0 {
			return &MissingError{Key: sendFieldName(c.Code, mandatorySend[i])}
		}
	}
	return nil
}

func sendFieldName(code int32, letter byte) string {
	if code == CodeSendMessage {
		return sendNames[letter-'a']
	}
	return string(letter)
}

func (h *SendHeader) field(letter byte, f *Field) (err error) {
	switch letter {
	case 'a':
		h.ProducerGroup = f.Value
	case 'b':
		h.Topic = f.Value
	case 'c':
		h.DefaultTopic = f.Value
	case 'd':
		h.DefaultTopicQueueNums, err = fieldInt32(f)
	case 'e':
		h.QueueID, err = fieldInt32(f)
	case 'f':
		h.SysFlag, err = fieldInt32(f)
	case 'g':
		h.BornTimestamp, err = fieldInt64(f)
	case 'h':
		h.Flag, err = fieldInt32(f)
	case 'i':
		h.Properties = f.Value
	case 'j':
		h.ReconsumeTimes, err = fieldInt32(f)
	case 'k':
		h.UnitMode = isTrue(f.Value)
	case 'l':
		h.MaxReconsumeTimes, err = fieldInt32(f)
		h.HasMaxReconsumeTimes = true
	case 'm':
		h.Batch = isTrue(f.Value)
	}
	return err
}

func fieldInt32(f *Field) (int32, error) {
	n, ok := parseInt(f.Value, 32)
	if !ok {
		return 0, &NumberError{Key: string(f.Key), Value: string(f.Value)}
	}
	return int32(n), nil
}

func fieldInt64(f *Field) (int64, error) {
	n, ok := parseInt(f.Value, 64)
	if !ok {
		return 0, &NumberError{Key: string(f.Key), Value: string(f.Value)}
	}
	return n, nil
}
