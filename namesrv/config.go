package namesrv

import (
	_ "embed"

	"ringmq/netpoll/remoting/settings"
)

//go:embed keys.tsv
var keys string

// Keys is the name server's table of configuration keys, with stock's names and defaults.
func Keys() *settings.Table { return settings.ParseTable(keys, settings.Host("")) }

// neverRemote are keys that no request may set, whatever the black list says: after the next start the operator would not find
// this server again.
var neverRemote = []string{"kvConfigPath", "configStorePath", "rocketmqHome", "configBlackList", "listenPort", "bindAddress"}
