package main

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"ringmq/cmd/admin"
)

// stockCommand is a command of stock's mqadmin; see testdata/mqadmin-5.3.3.txt.
type stockCommand struct {
	name, also string
	flags      []stockFlag
}

type stockFlag struct {
	short, long            string
	value, required, oneOf bool
}

func stockCommands(t *testing.T) (all []stockCommand) {
	t.Helper()
	text, err := os.ReadFile("testdata/mqadmin-5.3.3.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "#"):
		case !strings.HasPrefix(line, " "):
			c := stockCommand{name: words[0]}
			if len(words) == 3 && words[1] == "also" {
				c.also = words[2]
			}
			all = append(all, c)
		case len(words) < 3 || len(words) > 4 || len(all) == 0:
			t.Fatalf("line %d: %q", i+1, line)
		default:
			f := stockFlag{short: strings.TrimPrefix(words[0], "-"), long: camel(strings.TrimPrefix(words[1], "--")), value: words[2] == "value"}
			if len(words) == 4 {
				f.required, f.oneOf = words[3] == "required", words[3] == "either"
			}
			last := &all[len(all)-1]
			last.flags = append(last.flags, f)
		}
	}
	return all
}

// camel is how a long name with spaces in it is written here: no shell hands such a name over without quotes.
func camel(long string) string {
	parts := strings.Split(long, "_")
	for i := range parts[1:] {
		parts[i+1] = strings.ToUpper(parts[i+1][:1]) + parts[i+1][1:]
	}
	return strings.Join(parts, "")
}

// ownCommands are those that stock does not have.
var ownCommands = []string{"lag", "drain", "undrain", "export", "import", "cutLog", "adoptLog", "lendLog"}

// needed are flags without which a command of ours does nothing, and stock's does nothing either but says that it is done.
var needed = map[string][]string{"resetMasterFlushOffset": {"brokerAddr", "offset"}}

// TestStockCommands: every command of stock's is here, with every flag it has there, in both forms, of the same kind and as necessary; or
// it is refused, with the reason that the documentation has.
func TestStockCommands(t *testing.T) {
	_, root := adminOf(t)
	stock := stockCommands(t)
	if len(stock) != 89 {
		t.Fatalf("%d commands", len(stock))
	}
	here := map[string]*cobra.Command{}
	for _, c := range root.Commands() {
		here[c.Name()] = c
	}
	documented := reasons(t)
	for _, s := range stock {
		c, why := here[s.name], admin.NotHere(s.name)
		delete(here, s.name)
		if (c != nil) == (why != "") {
			t.Errorf("%s: here %v, and why not: %q", s.name, c != nil, why)
			continue
		}
		if c == nil {
			s.wantRefused(t, why)
			if documented[s.name] != why {
				t.Errorf("%s: the documentation says %q, the command %q", s.name, documented[s.name], why)
			}
		} else {
			s.compare(t, c)
			if documented[s.name] != "" {
				t.Errorf("%s is here, and the documentation says that it is not", s.name)
			}
		}
		delete(documented, s.name)
	}
	for name := range here {
		if !slices.Contains(ownCommands, name) {
			t.Errorf("%s is neither stock's nor known to be ours", name)
		}
	}
	for name := range documented {
		t.Errorf("the documentation says why %s is not here, which stock does not have either", name)
	}
}

func adminOf(t *testing.T) (root, cmd *cobra.Command) {
	t.Helper()
	root = newRoot()
	cmd, _, err := root.Find([]string{"admin"})
	if err != nil {
		t.Fatal(err)
	}
	return root, cmd
}

// compare looks for the flags of stock's in a command of ours.
func (s *stockCommand) compare(t *testing.T, c *cobra.Command) {
	t.Helper()
	c.InitDefaultHelpFlag()
	for _, f := range append(s.flags, stockFlag{short: "n", long: "namesrvAddr", value: true}, stockFlag{short: "h", long: "help"}) {
		ours := c.Flags().Lookup(f.long)
		if ours == nil {
			t.Errorf("%s: no --%s", s.name, f.long)
			continue
		}
		if f.short != "" && ours.Shorthand != f.short {
			t.Errorf("%s --%s: its short form is -%s, and stock's -%s", s.name, f.long, ours.Shorthand, f.short)
		}
		if value := ours.Value.Type() != "bool"; value != f.value {
			t.Errorf("%s --%s: has a value %v, stock's %v", s.name, f.long, value, f.value)
		}
		required := strings.HasSuffix(ours.Usage, " (required)")
		if required != f.required && !(required && slices.Contains(needed[s.name], f.long)) {
			t.Errorf("%s --%s: required %v, stock's %v", s.name, f.long, required, f.required)
		}
	}
	s.wantOneOf(t)
}

// wantOneOf gives a command all it needs but which brokers it is about, and wants to be asked for them.
func (s *stockCommand) wantOneOf(t *testing.T) {
	t.Helper()
	if !slices.ContainsFunc(s.flags, func(f stockFlag) bool { return f.oneOf }) {
		return
	}
	args := []string{"admin", s.name, "-n", "127.0.0.1:1"}
	for _, f := range s.flags {
		if f.required {
			value := "1"
			if f.long == "filename" {
				value = "../admin/testdata/" + map[string]string{"updateTopicList": "topics.json", "updateSubGroupList": "groups.json"}[s.name]
			}
			args = append(args, "-"+f.short, value)
		}
	}
	if out, err := ringmq(t, args...); err == nil || !strings.Contains(err.Error(), "which broker? Give one with -b host:port, or all of a cluster with -c CLUSTER") {
		t.Errorf("%v: %v\n%s", args, err, out)
	}
}

// wantRefused gives a command all flags that stock's has, and wants the reason.
func (s *stockCommand) wantRefused(t *testing.T, why string) {
	t.Helper()
	for _, name := range []string{s.name, strings.ToUpper(s.name)} {
		args := []string{"admin", name}
		for _, f := range s.flags {
			if args = append(args, "-"+cmp.Or(f.short, "-"+f.long)); f.value {
				args = append(args, "1")
			}
		}
		if out, err := ringmq(t, args...); err == nil || !strings.HasSuffix(err.Error(), " is a command of stock's that is not here: "+why) {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}

// section is a part of the documentation, from its heading to the next one.
func section(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/ADMIN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/ADMIN.md has no section %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// reasons are why commands of stock's are not here, as the documentation has it: rows of a table, | `name`, `name` | why |.
func reasons(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*`) \\| (.*) \\|$").FindAllStringSubmatch(section(t, "Commands of stock's that are not here"), -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			all[strings.Trim(name, "`")] = row[2]
		}
	}
	return all
}

// TestIdleFlags: flags that are taken for the sake of scripts and do nothing say so, and the documentation names them.
func TestIdleFlags(t *testing.T) {
	idle := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+) -(\\w)` \\|").FindAllStringSubmatch(section(t, "Flags of stock's that do nothing here"), -1) {
		idle[row[1]+" -"+row[2]] = true
	}
	for _, c := range admin.All() {
		for _, f := range c.Flags {
			name := c.Name + " -" + f.Short
			if says := strings.HasPrefix(f.Usage, "not looked at"); says != idle[name] {
				t.Errorf("%s: says so %v, documented %v", name, says, idle[name])
			}
			delete(idle, name)
		}
	}
	if len(idle) != 0 {
		t.Errorf("documented, and not there: %v", idle)
	}
}

// TestStockNames: a command is found by its name in any case, by the other name that stock has for it, and by its help.
func TestStockNames(t *testing.T) {
	root, _ := adminOf(t)
	for _, s := range stockCommands(t) {
		if admin.NotHere(s.name) != "" {
			continue
		}
		for _, name := range []string{s.name, strings.ToLower(s.name), strings.ToUpper(s.name), cmp.Or(s.also, s.name)} {
			if c, _, err := root.Find([]string{"admin", name}); err != nil || c.Name() != s.name {
				t.Errorf("%s: %v %v", name, c.CommandPath(), err)
			}
		}
	}
	for args, want := range map[string]string{"help updateTopic": "--readQueueNums", "updateTopic -h": "--readQueueNums", "UPDATETOPIC --help": "--readQueueNums", "help": "topicList"} {
		if out, err := ringmq(t, append([]string{"admin"}, strings.Fields(args)...)...); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
	}
	for args, want := range map[string]string{"help createUser": "it needs access control", "help updateTopik": "did you mean updateTopic?", "createuser": "it needs access control"} {
		if out, err := ringmq(t, append([]string{"admin"}, strings.Fields(args)...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
	}
}
