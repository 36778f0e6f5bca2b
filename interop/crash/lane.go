package main

import (
	"fmt"
	"strconv"
	"strings"
)

// lane is one queue and the one producer that fills it. Its producer alone advances next and acked while it runs.
type lane struct {
	topic    string
	queue    int
	next     int64 // number of the next message
	acked    []ack // acknowledged and not yet verified
	verified int64 // queue offset up to which the queue was checked
	last     int64 // highest number seen in the queue so far

	first chan struct{} // closed with the first acknowledgement; nil where nobody waits for it
}

// ack is what a producer was told about one message.
type ack struct {
	seq    int64
	offset int64
	log    int64
}

// body is the numbered text, padded to a length that varies so that records end anywhere in a block.
func body(q int, seq int64) []byte {
	b := []byte("q" + strconv.Itoa(q) + " n" + strconv.FormatInt(seq, 10) + " ")
	for n := int(seq*2654435761%1500) + 20; len(b) < n; {
		b = append(b, byte('a'+len(b)%26))
	}
	return b
}

func parseBody(b []byte, q int) (int64, error) {
	words := strings.SplitN(string(b), " ", 3)
	if len(words) < 2 || words[0] != "q"+strconv.Itoa(q) || len(words[1]) < 2 {
		return 0, fmt.Errorf("a body that nobody sent: %.40q", b)
	}
	seq, err := strconv.ParseInt(words[1][1:], 10, 64)
	if err != nil {
		return 0, err
	}
	if string(body(q, seq)) != string(b) {
		return 0, fmt.Errorf("message %d has a changed body", seq)
	}
	return seq, nil
}
