package remoting

// Language of the peer that wrote a command: its number in the binary encoding, its name in JSON.
type Language uint8

// Languages the protocol names.
const (
	Java Language = iota
	Cpp
	DotNet
	Python
	Delphi
	Erlang
	Ruby
	Other
	HTTP
	Go
	PHP
	OMS
	Rust
	NodeJS
	UnknownLanguage Language = 255 // a name that stock does not know reads as null
)

var languageNames = [...]string{"JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS", "RUST", "NODE_JS"}

// String returns the name used in JSON headers, "" for an unknown language.
func (l Language) String() string {
	if int(l) < len(languageNames) {
		return languageNames[l]
	}
	return ""
}

func parseLanguage(name []byte) Language {
	for i, n := range languageNames {
		if string(name) == n {
			return Language(i)
		}
	}
	return UnknownLanguage
}
