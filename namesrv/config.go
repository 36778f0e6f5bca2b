package namesrv

import (
	_ "embed"

	"ringmq/netpoll/remoting/settings"
)

//go:embed keys.tsv
var keys string

// Keys is the name server's table of configuration keys, with stock's names and defaults.
func Keys() *settings.Table { return settings.ParseTable(keys, settings.Host("")) }
