package doctor

import (
	"errors"
	"os"
	"testing"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

func settingsOf(t *testing.T, text string) []settings.Setting {
	t.Helper()
	all, err := settings.ParseProperties("x.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestWhoseFile: a file is judged as that of the server that it is for.
func TestWhoseFile(t *testing.T) {
	shipped := func(name string) string {
		text, err := os.ReadFile("../../deploy/conf/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for text, want := range map[string]bool{
		shipped("namesrv.conf"): true, shipped("broker.conf"): false,
		"": false, "listenPort=9876\n": true, "listenPort=10911\n": false, "listenPort=9877\norderMessageEnable=true\n": true, "kvConfigpath=/x\n": true,
		"listenPort=9876\nbrokerName=x\n": false, "brokername=x\n": false, "useEpollNativeSelector=true\nclusterTest=false\n": true, "nobodyKnowsThis=1\n": false,
	} {
		if got := forNames(settingsOf(t, text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestNamesFile(t *testing.T) {
	for _, c := range []struct {
		text  string
		stock bool
		state State
		want  string
	}{
		{"kvConfigPath=/x\nlistenPort=9876\n", false, OK, "config"},
		{"kvConfigPath=/x\nserverWorkerThreads=16\n", false, Warning, "config-key-without-effect"},
		{"kvConfigPath=/x\nserverWorkerThreads=16\n", true, OK, "config"},
		{"kvConfigPath=/x\nfasterRoutes=1\n", true, Warning, "config-key-unknown"},
		{"kvConfigPath=/x\norderMessageEnabl=true\n", false, Warning, "config-key-misspelt"},
		{"kvConfigPath=/x\nlistenPort=1\nlistenPort=2\n", false, Warning, "config-key-twice"},
		{"kvConfigPath=/x\nlistenPort=often\n", false, Broken, "config-refused"},
		{"kvConfigPath=/x\nenableControllerInNamesrv=true\n", false, Broken, "config-refused"},
	} {
		all := judgeNamesFile(parseNamesFile("namesrv.conf", settingsOf(t, c.text)), c.stock)
		diagnosed(t, all, c.state, c.want)
		if len(all) != 1 {
			t.Errorf("%q: %+v", c.text, all)
		}
	}
}

// TestRunningNames: what cannot be asked is said, and stock's keys are left alone.
func TestRunningNames(t *testing.T) {
	refused := &ask.CodeError{Code: remoting.RespNoPermission, Remark: "no"}
	diagnosed(t, judgeRunningNames(&nameServerSeen{Addr: "a:9876", ConfigErr: refused}), Unknown, "config-not-told")
	for _, n := range []nameServerSeen{
		{Addr: "a:9876", Err: errors.New("away")},
		{Addr: "a:9876", ConfigErr: &ask.CodeError{Code: remoting.RespRequestCodeNotSupported}},
		{Addr: "a:9876", Config: m("serverWorkerThreads", "16", "somethingOfStock", "x")},
		{Addr: "a:9876", Config: m("brokerAllowedCidrs", "", "listenPort", "9999")},
	} {
		if all := judgeRunningNames(&n); len(all) > 0 {
			t.Errorf("%+v", all)
		}
	}
	// The file says for a server what it would say itself.
	file := parseNamesFile("namesrv.conf", settingsOf(t, "listenPort=9876\nserverWorkerThreads=16\n"))
	running := m("brokerAllowedCidrs", "", "serverWorkerThreads", "16")
	names := []nameServerSeen{{Addr: "127.0.0.1:9876", Config: running}, {Addr: "10.0.0.2:9876", Config: running}}
	about := ""
	for _, f := range judgeNamesConfigs(names, file) {
		about += f.Name + " " + f.About + "; "
	}
	if want := "config-key-without-effect serverWorkerThreads (10.0.0.2:9876); config-key-without-effect serverWorkerThreads (x.conf:2); "; about != want {
		t.Error(about)
	}
}
