package main

import (
	"bufio"
	"io"
	"net"
	"sync"

	"ringmq/netpoll/remoting"
)

// desk stands between a slave and its name server and changes one thing: the master's HA address is that of the link. Stock 5.3.3 does not
// obey haMasterAddress (it takes it before there is anything to take it, and connects to null from then on), so this is the only way to
// put a link in between that works with everyone.
type desk struct {
	listener net.Listener
	ns, link string

	mu   sync.Mutex
	open map[net.Conn]bool
	all  sync.WaitGroup
}

func newDesk(addr, ns, link string) (*desk, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	d := &desk{listener: l, ns: ns, link: link, open: map[net.Conn]bool{}}
	d.all.Go(d.accept)
	return d, nil
}

func (d *desk) close() {
	_ = d.listener.Close()
	d.mu.Lock()
	for c := range d.open {
		_ = c.Close()
	}
	d.mu.Unlock()
	d.all.Wait()
}

func (d *desk) accept() {
	for {
		c, err := d.listener.Accept()
		if err != nil {
			return
		}
		ns, err := net.Dial("tcp", d.ns)
		if err != nil {
			_ = c.Close()
			continue
		}
		d.mu.Lock()
		d.open[c], d.open[ns] = true, true
		d.mu.Unlock()
		d.all.Go(func() {
			_, _ = io.Copy(ns, c)
			d.part(c, ns)
		})
		d.all.Go(func() {
			d.answers(ns, c)
			d.part(c, ns)
		})
	}
}

func (d *desk) part(a, b net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = a.Close()
	_ = b.Close()
	delete(d.open, a)
	delete(d.open, b)
}

// answers carries what the name server says, frame by frame.
func (d *desk) answers(from, to net.Conn) {
	r := bufio.NewReader(from)
	var cmd remoting.Command
	for {
		head, err := r.Peek(4)
		if err != nil {
			return
		}
		total, _, err := remoting.FrameLength(head)
		if err != nil {
			return
		}
		frame := make([]byte, total)
		if _, err := io.ReadFull(r, frame); err != nil {
			return
		}
		if err := cmd.Decode(frame); err == nil && cmd.Text("haServerAddr") != "" {
			cmd.Set("haServerAddr", d.link)
			frame = remoting.AppendCommand(nil, &cmd)
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}
