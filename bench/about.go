package bench

import (
	"context"
	"fmt"
	"strings"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// About is what a broker says of itself. What it does not tell is empty.
type About struct {
	Version       string // of RocketMQ, that it speaks
	FlushDiskType string // SYNC_FLUSH: what it acknowledges is on disk; ASYNC_FLUSH
	BrokerRole    string
	DiskEngine    string   `json:",omitempty"` // how it writes its log; only a broker of ringmq has one
	Untold        []string `json:",omitempty"` // why something is not known
}

// Ask connects to a broker and asks it about itself. That it does not tell is no error; that it is no broker, or cannot be reached,
// is one whose text says what it probably is.
func Ask(ctx context.Context, addr string) (*About, error) {
	c, err := reach(ctx, "broker", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return ask(ctx, c, addr)
}

func ask(ctx context.Context, c *netpoll.Client, addr string) (*About, error) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	config, err := c.Call(ctx, remoting.NewRequest(remoting.CodeGetBrokerConfig))
	if err != nil {
		return nil, noBroker(ctx, addr, err)
	}
	req := remoting.NewRequest(remoting.CodeGetBrokerRuntimeInfo)
	req.Set("diskEngine", "true") // which only a broker of ours looks at
	runtime, err := c.Call(ctx, req)
	if err != nil {
		return nil, noBroker(ctx, addr, err)
	}
	if config.Code == remoting.RespRequestCodeNotSupported && runtime.Code == remoting.RespRequestCodeNotSupported {
		return nil, &unreachedError{what: "broker", addr: addr, why: "it speaks the protocol and is no broker: this is probably a name server's port: a name server listens on 9876, a broker on 10911"}
	}
	a := &About{}
	a.readConfig(config)
	a.readRuntime(runtime)
	return a, nil
}

func noBroker(ctx context.Context, addr string, err error) error {
	if ctx.Err() == context.Canceled {
		return ctx.Err()
	}
	return &unreachedError{"broker", addr, "it takes connections and does not answer as a broker: " + netpoll.Strange(err), err}
}

// readConfig takes what is of interest from the answer to 26, lines of key=value.
func (a *About) readConfig(resp *remoting.Command) {
	if resp.Code != remoting.RespSuccess {
		a.Untold = append(a.Untold, "its configuration: "+refusal(resp))
		return
	}
	for line := range strings.SplitSeq(string(resp.Body), "\n") {
		key, value, _ := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "flushDiskType":
			a.FlushDiskType = value
		case "brokerRole":
			a.BrokerRole = value
		}
	}
}

// readRuntime does so with the answer to 28.
func (a *About) readRuntime(resp *remoting.Command) {
	if resp.Code != remoting.RespSuccess {
		a.Untold = append(a.Untold, "its runtime figures: "+refusal(resp))
		return
	}
	var t remoting.KVTable
	if err := remoting.Unmarshal(resp.Body, &t); err != nil {
		a.Untold = append(a.Untold, "its runtime figures: "+err.Error())
		return
	}
	a.Version = strings.ReplaceAll(strings.TrimPrefix(t.Table["brokerVersionDesc"], "V"), "_", ".")
	a.DiskEngine = t.Table["diskEngine"]
}

// refusal is an answer that is no success, in words.
func refusal(resp *remoting.Command) string {
	s := codeText(resp.Code)
	if remark := oneLine(resp.Remark); remark != "" {
		s += ": " + remark
	}
	return s
}

// codeText is a code with its name, where it has one.
func codeText(code int32) string {
	number := fmt.Sprintf("code %d", code)
	if name := remoting.RespName(code); "code "+name != number {
		return number + " " + name
	}
	return number
}

// oneLine is a remark in one line that fits on one.
func oneLine[T ~string | ~[]byte](remark T) string {
	const most = 160
	s := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(string(remark), "?")), " "))
	if len(s) > most {
		s = append(s[:most], '…')
	}
	return string(s)
}

// String is one line: what is known, and why the rest is not.
func (a *About) String() string {
	or := func(value, what string) string {
		if value == "" {
			return what + " unknown"
		}
		return value
	}
	parts := []string{or(a.FlushDiskType, "flush mode"), or(a.BrokerRole, "role")}
	switch {
	case a.Version != "":
		parts = append([]string{"speaks " + a.Version}, parts...)
	default:
		parts = append([]string{"version unknown"}, parts...)
	}
	if a.DiskEngine != "" {
		parts = append([]string{"ringmq"}, append(parts, "disk engine "+a.DiskEngine)...)
	}
	s := strings.Join(parts, ", ")
	if len(a.Untold) > 0 {
		s += " (it does not tell " + strings.Join(a.Untold, "; ") + ")"
	}
	return s
}

// Unlike says in what two brokers differ such that their figures are not of the same promise; nil: in nothing that is known.
func Unlike(nameA string, a *About, nameB string, b *About) (out []string) {
	if a == nil || b == nil {
		return nil
	}
	if x, y := a.FlushDiskType, b.FlushDiskType; x != y && x != "" && y != "" {
		out = append(out, fmt.Sprintf("%s flushes with %s, %s with %s: what is acknowledged with SYNC_FLUSH is on disk, with ASYNC_FLUSH it may be lost when the machine fails.", nameA, x, nameB, y))
	}
	if x, y := a.BrokerRole, b.BrokerRole; x != y && x != "" && y != "" {
		out = append(out, fmt.Sprintf("The role of %s is %s, that of %s %s: they do different things with a message.", nameA, x, nameB, y))
	}
	return out
}
