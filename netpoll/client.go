package netpoll

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"ringmq/netpoll/remoting"
)

// DialOptions of an outbound connection.
type DialOptions struct {
	// OnRequest gets what the server asks by itself, on the reader's goroutine; valid until it returns. nil: passed over.
	// It must not call Close.
	OnRequest func(req *remoting.Command)
	// WriteTimeout: a server that does not take a frame for so long has its connection closed; 0: 10 s.
	WriteTimeout time.Duration
}

// Client is one outbound connection. All methods may be called by any goroutine. It does not redial.
type Client struct {
	conn net.Conn
	o    DialOptions

	write  sync.Mutex
	buf    []byte
	mu     sync.Mutex
	opaque int32
	wait   map[int32]chan *remoting.Command
	err    error
	done   chan struct{}
}

// Dial connects. The reader goroutine ends with the connection.
func Dial(ctx context.Context, addr string, o DialOptions) (*Client, error) {
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 10 * time.Second
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn, o: o, wait: map[int32]chan *remoting.Command{}, done: make(chan struct{})}
	go c.read()
	return c, nil
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Close ends the connection; calls in progress get an error.
func (c *Client) Close() {
	_ = c.conn.Close()
	<-c.done
}

// Call sends a request and waits for its answer, which is the caller's. The opaque number of cmd is assigned here.
func (c *Client) Call(ctx context.Context, cmd *remoting.Command) (*remoting.Command, error) {
	answer := make(chan *remoting.Command, 1)
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return nil, c.err
	}
	c.opaque++
	opaque := c.opaque
	c.wait[opaque] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.wait, opaque)
		c.mu.Unlock()
	}()
	if err := c.send(cmd, opaque); err != nil {
		return nil, err
	}
	select {
	case resp := <-answer:
		return resp, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.done:
		select {
		case resp := <-answer:
			return resp, nil
		default:
			return nil, c.err
		}
	}
}

// Oneway sends a request that is not answered.
func (c *Client) Oneway(cmd *remoting.Command) error {
	cmd.Flag |= remoting.FlagOneway
	c.mu.Lock()
	c.opaque++
	opaque := c.opaque
	c.mu.Unlock()
	return c.send(cmd, opaque)
}

// Reply sends an answer to a request of the server's, as a whole frame.
func (c *Client) Reply(frame []byte) error {
	c.write.Lock()
	defer c.write.Unlock()
	return c.put(frame)
}

func (c *Client) send(cmd *remoting.Command, opaque int32) error {
	c.write.Lock()
	defer c.write.Unlock()
	cmd.Opaque = opaque
	c.buf = remoting.AppendCommand(c.buf[:0], cmd)
	err := c.put(c.buf)
	if cap(c.buf) > keepBytes {
		c.buf = nil
	}
	return err
}

// put writes a whole frame, under the write lock. After half a frame nothing else could be written, so failing ends the
// connection.
func (c *Client) put(frame []byte) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.o.WriteTimeout))
	if _, err := c.conn.Write(frame); err != nil {
		_ = c.conn.Close()
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return nil
}

// keepBytes is the largest buffer that is kept for the next frame.
const keepBytes = 1 << 20

func (c *Client) read() {
	err := c.frames(bufio.NewReaderSize(c.conn, 64<<10))
	_ = c.conn.Close()
	c.mu.Lock()
	c.err = fmt.Errorf("%w: %w", ErrClosed, err)
	c.mu.Unlock()
	close(c.done)
}

func (c *Client) frames(r *bufio.Reader) error {
	var cmd remoting.Command
	var buf []byte
	for {
		head, err := r.Peek(4)
		if err != nil {
			return err
		}
		total, _, err := remoting.FrameLength(head)
		if err != nil {
			return err
		}
		if cap(buf) < total || cap(buf) > keepBytes && total <= keepBytes {
			buf = make([]byte, total)
		}
		buf = buf[:total]
		if _, err := io.ReadFull(r, buf); err != nil {
			return err
		}
		if err := cmd.Decode(buf); err != nil {
			return err
		}
		if !cmd.IsResponse() {
			if c.o.OnRequest != nil {
				c.o.OnRequest(&cmd)
			}
			continue
		}
		c.mu.Lock()
		answer := c.wait[cmd.Opaque]
		delete(c.wait, cmd.Opaque)
		c.mu.Unlock()
		if answer != nil {
			answer <- cmd.Clone()
		}
	}
}
