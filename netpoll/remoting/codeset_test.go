package remoting

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestCodeSetOfBothClients(t *testing.T) {
	for text, want := range map[string]CodeSet{`[2598919,-5]`: {2598919, -5}, `["2598919","-5"]`: {2598919, -5}, `[]`: {}, `null`: {}} {
		var got CodeSet
		if err := json.Unmarshal([]byte(text), &got); err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	var got CodeSet
	if json.Unmarshal([]byte(`["x"]`), &got) == nil || json.Unmarshal([]byte(`{}`), &got) == nil {
		t.Error("taken")
	}
	if b, err := json.Marshal(SubscriptionData{CodeSet: CodeSet{7}}); err != nil || !json.Valid(b) {
		t.Error(string(b), err)
	}
}
