package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// masterHas asks this slave's master, where clients find it, for the record that begins at an offset of its log (33). found: it has something there,
// nothing of which need be a record. An error: it was not reached, or says something else. It dials, and ends with ctx.
func (b *Broker) masterHas(ctx context.Context, at int64) (raw []byte, found bool, err error) {
	addr := b.replication.group.master().addr
	if addr == "" {
		return nil, false, errors.New("no name server knows where the master listens for clients")
	}
	c, err := netpoll.Dial(ctx, addr, netpoll.DialOptions{})
	if err != nil {
		return nil, false, err
	}
	defer c.Close()
	cmd := remoting.NewRequest(remoting.CodeViewMessageById)
	cmd.Set("offset", strconv.FormatInt(at, 10))
	resp, err := c.Call(ctx, cmd)
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", remoting.CodeName(cmd.Code), err)
	}
	return viewed(resp)
}

// viewed reads an answer to 33.
func viewed(resp *remoting.Command) (raw []byte, found bool, err error) {
	remark := string(resp.Remark)
	switch {
	case resp.Code == remoting.RespSuccess:
		return resp.Body, true, nil
	case resp.Code == remoting.RespSystemError && strings.HasPrefix(remark, noMessageAt):
		return nil, false, nil
	case resp.Code == remoting.RespSystemError && strings.Contains(remark, "IllegalArgumentException"):
		// Stock takes the four bytes there for a record's size: in the middle of one they may say less than nothing, or more than a file has.
		return nil, true, nil
	}
	return nil, false, fmt.Errorf("%s: code %d: %s", remoting.CodeName(remoting.CodeViewMessageById), resp.Code, remark)
}
