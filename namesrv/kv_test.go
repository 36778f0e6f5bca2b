package namesrv

import (
	"os"
	"path/filepath"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestKVChangesAreSeenWhenTheyAreSaved: one that failed is as if nobody had asked for it, in this run and in the next.
func TestKVChangesAreSeenWhenTheyAreSaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.json")
	s, c := start(t, path)
	put := func(key, value string) *remoting.Command {
		return call(t, c, request(remoting.CodePutKvConfig, "namespace=n", "key="+key, "value="+value))
	}
	remove := func(key string) *remoting.Command {
		return call(t, c, request(remoting.CodeDeleteKvConfig, "namespace=n", "key="+key))
	}
	served := func(c *Server, key string) string {
		v, ok := c.kv.get("n", key)
		if !ok {
			return "none"
		}
		return v
	}
	if resp := put("k", "old"); resp.Code != 0 {
		t.Fatal(resp.Code, string(resp.Remark))
	}
	bytes := func() int {
		s.kv.file.Lock()
		defer s.kv.file.Unlock()
		return s.kv.size
	}
	size := bytes()
	inTheWay := path + ".tmp" // where the next file is written first
	if err := os.Mkdir(inTheWay, 0o755); err != nil {
		t.Fatal(err)
	}
	for what, resp := range map[string]*remoting.Command{"a change": put("k", "longer"), "a new key": put("new", "v"), "a removal": remove("k")} {
		if resp.Code != remoting.RespSystemError || len(resp.Remark) == 0 {
			t.Errorf("%s that is not saved is answered %d %q", what, resp.Code, resp.Remark)
		}
	}
	if k, n := served(s, "k"), served(s, "new"); k != "old" || n != "none" || bytes() != size {
		t.Errorf("after failures k is %q, new is %q, in %d bytes of %d", k, n, bytes(), size)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	if resp := put("other", "v"); resp.Code != 0 {
		t.Fatal(resp.Code, string(resp.Remark))
	}
	again, _ := start(t, path)
	if k, n, o := served(again, "k"), served(again, "new"), served(again, "other"); k != "old" || n != "none" || o != "v" {
		t.Errorf("after a restart k is %q, new is %q, other is %q", k, n, o)
	}
	for _, key := range []string{"k", "other"} {
		if resp := remove(key); resp.Code != 0 {
			t.Error(resp.Code, string(resp.Remark))
		}
	}
	if n := bytes(); n != 0 {
		t.Error(n, "bytes are left")
	}
}
