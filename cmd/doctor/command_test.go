package doctor

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmq/cmd/admin"
	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// beside are commands of ringmq admin that are not in the table of package admin, with the flags that fixes give them.
var beside = map[string][]string{"cutLog": {"-c", "--peer"}}

var adminQuoted = regexp.MustCompile(`"ringmq admin ([^"]*)"`)

// runs checks that every command in a fix can be run as it stands.
func runs(t *testing.T, f Finding) {
	t.Helper()
	for _, found := range adminQuoted.FindAllStringSubmatch(f.Fix, -1) {
		if err := tryCommand(shellWords(found[1])); err != nil {
			t.Errorf("%s: %s: %v", f.Name, found[0], err)
		}
	}
	if rest := adminQuoted.ReplaceAllString(f.Fix, ""); strings.Contains(rest, "mqadmin") || strings.Contains(rest, "ringmq admin") {
		t.Errorf("%s: a command stands without quotation marks: %s", f.Name, f.Fix)
	}
}

// tryCommand runs a command up to where it asks its first server: there is no time left for that. What it lacks it says before.
func tryCommand(words []string) error {
	c, err := commandNamed(words[0])
	if c == nil {
		return err
	}
	a, o := admin.Args{}, admin.Options{Timeout: time.Second, NameServers: []string{"127.0.0.1:1"}}
	for i := 1; i < len(words); i++ {
		flag, err := flagNamed(c, words[i])
		switch {
		case err != nil:
			return err
		case flag.Kind == admin.Switch:
			a[flag.Long] = "true"
			continue
		}
		if i++; i == len(words) || words[i] == "" {
			return fmt.Errorf("%s has no value", words[i-1])
		}
		if flag.Long != "namesrvAddr" {
			a[flag.Long] = words[i]
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var away *ask.UnreachableError
	if err := admin.Run(ctx, o, c, a, io.Discard); !errors.As(err, &away) {
		return fmt.Errorf("it asks nobody: %w", err)
	}
	return nil
}

// commandNamed finds a command; nil and no error for one that stands beside the table.
func commandNamed(name string) (*admin.Command, error) {
	all := admin.All()
	if i := slices.IndexFunc(all, func(c *admin.Command) bool { return c.Name == name }); i >= 0 {
		return all[i], nil
	}
	if beside[name] == nil {
		return nil, fmt.Errorf("there is no command %s", name)
	}
	return nil, nil
}

func flagNamed(c *admin.Command, word string) (admin.Flag, error) {
	if word == "-n" {
		return admin.Flag{Long: "namesrvAddr"}, nil // that every command has
	}
	i := slices.IndexFunc(c.Flags, func(f admin.Flag) bool { return f.Short != "" && word == "-"+f.Short || word == "--"+f.Long })
	if i < 0 {
		return admin.Flag{}, fmt.Errorf("%s has no flag %s", c.Name, word)
	}
	return c.Flags[i], nil
}

// shellWords takes a line apart as a shell does, as far as shellWord has put it together.
func shellWords(line string) (all []string) {
	word, begun, quoted := "", false, false
	for _, ch := range line + " " {
		switch {
		case ch == '\'':
			begun, quoted = true, !quoted
		case ch == ' ' && !quoted:
			if begun {
				all = append(all, word)
			}
			word, begun = "", false
		default:
			word, begun = word+string(ch), true
		}
	}
	return all
}

func TestShellWords(t *testing.T) {
	words := []string{"a", "10.0.0.5:10911", "a:1;b:2", "", "10.0.0.5@17#4", "%DLQ%G", "two words"}
	got := adminCommand("x", words...)
	if want := `"ringmq admin x a 10.0.0.5:10911 'a:1;b:2' '' '10.0.0.5@17#4' %DLQ%G 'two words'"`; got != want {
		t.Error(got)
	}
	if back := shellWords(strings.Trim(got, `"`)); !slices.Equal(back[3:], words) {
		t.Errorf("%q", back)
	}
	if got := shellWord("it's"); got != `'it'\''s'` {
		t.Error(got)
	}
}

// TestCommandsOfFixes: every command that some fix may name is one of ringmq admin's, with flags that it has, also where no set-up of these
// tests comes to it; and no text names a tool that is not shipped.
func TestCommandsOfFixes(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if text := literal(n); strings.Contains(text, "mqadmin") {
				t.Errorf("%s: %s", name, text)
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if of, ok := call.Fun.(*ast.Ident); !ok || of.Name != "adminCommand" && of.Name != "adminAt" {
				return true
			}
			if _, ok := call.Args[0].(*ast.Ident); ok {
				return true // adminAt hands on what it was given
			}
			calls++
			command := literal(call.Args[0])
			c, err := commandNamed(command)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return true
			}
			ast.Inspect(call, func(n ast.Node) bool {
				word := literal(n)
				if len(word) < 2 || word[0] != '-' || word[1] >= '0' && word[1] <= '9' {
					return true
				}
				if c == nil && !slices.Contains(beside[command], word) {
					t.Errorf("%s: %s has no flag %s", name, command, word)
				} else if c != nil {
					if _, err := flagNamed(c, word); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				return true
			})
			return true
		})
	}
	if calls < 15 {
		t.Error(calls, "calls were found")
	}
}

// literal is the value of a text in a source; "" for anything else.
func literal(n ast.Node) string {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	text, _ := strconv.Unquote(lit.Value)
	return text
}

// TestFixesGoByWhatIsThere: a command changes what is wrong and nothing else, and is not named where it would.
func TestFixesGoByWhatIsThere(t *testing.T) {
	const b, c = "10.0.0.6:10911", "10.0.0.7:10911"
	at := func(name, addr string, config remoting.TopicConfig) topicAt {
		return topicAt{Broker: name, Addr: addr, Config: &config}
	}
	lost := func(name string) topicAt {
		return topicAt{Broker: name, Err: &ask.CodeError{Code: remoting.RespTopicNotExist}}
	}
	seen := func(perm, read, write int32, order string, brokers ...topicAt) []Finding {
		route := &remoting.TopicRouteData{OrderTopicConf: order, QueueDatas: []remoting.QueueData{{BrokerName: "b", Perm: perm, ReadQueueNums: read, WriteQueueNums: write}},
			BrokerDatas: []remoting.BrokerData{{BrokerName: "b", Cluster: "C", BrokerAddrs: map[int64]string{0: b}}}}
		return judgeTopic(&topicSeen{Name: "T", Routes: []routeSeen{{"10.0.0.1:9876", route, nil}}, Brokers: brokers, Names: []string{"10.0.0.1:9876", "10.0.0.2:9876"}})
	}
	plain := func(perm, read, write int32) remoting.TopicConfig {
		return remoting.TopicConfig{Perm: perm, ReadQueueNums: read, WriteQueueNums: write}
	}
	ordered := plain(6, 2, 4)
	ordered.Order = true
	unit := plain(7, 2, 4)
	unit.TopicSysFlag = 3
	const names = `-n '10.0.0.1:9876;10.0.0.2:9876'`
	for _, one := range []struct {
		what, name, fix string
		all             []Finding
	}{
		{"it may only be read", "topic-not-writable", `"ringmq admin updateTopicPerm -t T -b 10.0.0.6:10911 -p 6"`, seen(4, 4, 4, "", at("b", b, plain(4, 4, 4)))},
		{"its broker was drained", "topic-not-writable", `the broker was drained, or brokerPermission is without 2; when it is to be used again: "ringmq admin addWritePerm -b b ` + names + `"`,
			seen(4, 4, 4, "", at("b", b, plain(6, 4, 4)))},
		{"it may only be written, its broker does not tell", "topic-not-readable", `"ringmq admin updateTopicPerm -t T -b 10.0.0.6:10911 -p 6"`, seen(2, 4, 4, "")},
		{"its broker may only be written", "topic-not-readable", `brokerPermission of the broker is without 4: "ringmq admin updateBrokerConfig -b 10.0.0.6:10911 -k brokerPermission -v 6"`,
			seen(2, 4, 4, "", at("b", b, plain(6, 4, 4)))},
		{"queues that nobody reads", "topic-queues-never-read", `"ringmq admin updateTopic -t T -b 10.0.0.6:10911 -r 4 -w 4 -p 6"`, seen(6, 2, 4, "", at("b", b, plain(6, 2, 4)))},
		{"the same, of a unit", "topic-queues-never-read", `"ringmq admin updateTopic -t T -b 10.0.0.6:10911 -r 4 -w 4 -p 7 -u true -s true"`, seen(6, 2, 4, "", at("b", b, unit))},
		{"the same, ordered", "topic-queues-never-read", `"ringmq admin updateTopic -t T -b 10.0.0.6:10911 -r 4 -w 4 -p 6 -o true ` + names + `"`, seen(6, 2, 4, "b:4", at("b", b, ordered), at("c", c, ordered))},
		{"the same, on one broker", "topic-queues-never-read", `"ringmq admin updateTopic -t T -b 10.0.0.6:10911 -r 4 -w 4 -p 6 -o true ` + names + `"`, seen(6, 2, 4, "", at("b", b, ordered))},
		{"ordered, without a list of queues", "topic-queues-never-read", "give it 4 queues to read and 4 to write there, and leave the rest of it as it is",
			seen(6, 2, 4, "", at("b", b, ordered), at("c", c, ordered))},
		{"no queue to write", "topic-without-queues", `"ringmq admin updateTopic -t T -b 10.0.0.6:10911 -r 4 -w 4 -p 6"`, seen(6, 4, 0, "", at("b", b, plain(6, 4, 0)))},
		{"its broker has lost it", "topic-route-stale", `make it there: "ringmq admin updateTopic -t T -b 10.0.0.6:10911 -r 2 -w 2 -p 6", or take it out of the route: "ringmq admin deleteTopic -t T -c C ` + names + `"`,
			seen(6, 2, 2, "", lost("b"))},
		{"another one has it", "topic-route-stale", `make it there: "ringmq admin updateTopic -t T -b 10.0.0.6:10911 -r 2 -w 2 -p 6"`, seen(6, 2, 2, "", lost("b"), at("c", c, plain(6, 2, 2)))},
	} {
		i := slices.IndexFunc(one.all, func(f Finding) bool { return f.Name == one.name })
		if i < 0 {
			t.Errorf("%s: %+v", one.what, one.all)
			continue
		}
		if got := one.all[i].Fix; got != one.fix {
			t.Errorf("%s: %s, want %s", one.what, got, one.fix)
		}
		runs(t, one.all[i])
	}
}

// TestGroupCommand: what a group has is kept, or no command is named.
func TestGroupCommand(t *testing.T) {
	for _, one := range []struct {
		want   string
		change func(c *remoting.SubscriptionGroupConfig)
	}{
		{"-m true -d true", func(*remoting.SubscriptionGroupConfig) {}},
		{"-m true -d true -o true -q 2 -r 3 -i 1 -w 2 -a false", func(c *remoting.SubscriptionGroupConfig) {
			c.ConsumeMessageOrderly, c.RetryQueueNums, c.RetryMaxTimes, c.BrokerID, c.WhichBrokerWhenConsumeSlowly, c.NotifyConsumerIdsChangedEnable = true, 2, 3, 1, 2, false
		}},
		{"", func(c *remoting.SubscriptionGroupConfig) { c.ConsumeTimeoutMinute = 30 }},
		{"", func(c *remoting.SubscriptionGroupConfig) { c.GroupSysFlag = 1 }},
		{"", func(c *remoting.SubscriptionGroupConfig) {
			c.SubscriptionDataSet = make([]remoting.SimpleSubscription, 1)
		}},
		{"", func(c *remoting.SubscriptionGroupConfig) { c.GroupRetryPolicy["type"] = "EXPONENTIAL" }},
		{"", func(c *remoting.SubscriptionGroupConfig) {
			c.GroupRetryPolicy["customizedRetryPolicy"] = map[string]any{"next": []any{1000.0}}
		}},
	} {
		c := remoting.NewSubscriptionGroupConfig("G")
		if one.change(&c); one.want != "" {
			one.want = `"ringmq admin updateSubGroup -g G -b 10.0.0.5:10911 -s true ` + one.want + `"`
		}
		if got := groupCommand("G", "10.0.0.5:10911", c); got != one.want {
			t.Errorf("%s, want %s", got, one.want)
		}
	}
}
