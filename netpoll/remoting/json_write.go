package remoting

import "strconv"

func appendJSONHeader(dst []byte, c *Command) []byte {
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(c.Code), 10)
	if fields := c.Fields(); len(fields) > 0 {
		dst = append(dst, `,"extFields":{`...)
		for i, f := range fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendQuoted(dst, f.Key)
			dst = append(dst, ':')
			dst = appendQuoted(dst, f.Value)
		}
		dst = append(dst, '}')
	}
	return appendJSONRest(dst, c.Flag, c.Language, c.Opaque, c.Remark != nil, c.Remark, c.Version)
}

// appendJSONRest appends what comes behind the fields. A remark may be there and empty, as the Go client sends it.
func appendJSONRest[T string | []byte](dst []byte, flag int32, lang Language, opaque int32, hasRemark bool, remark T, version int32) []byte {
	dst = append(dst, `,"flag":`...)
	dst = strconv.AppendInt(dst, int64(flag), 10)
	if name := lang.String(); name != "" {
		dst = append(dst, `,"language":"`...)
		dst = append(dst, name...)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"opaque":`...)
	dst = strconv.AppendInt(dst, int64(opaque), 10)
	if hasRemark {
		dst = append(dst, `,"remark":`...)
		dst = appendQuoted(dst, remark)
	}
	dst = append(dst, `,"serializeTypeCurrentRPC":"JSON","version":`...)
	dst = strconv.AppendInt(dst, int64(version), 10)
	return append(dst, '}')
}

const hexDigits = "0123456789abcdef"

// appendQuoted appends s as a JSON string.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	at := 0
	for i := 0; i < len(s); i++ {
		ch := s[i]
		if ch >= 0x20 && ch != '"' && ch != '\\' {
			continue
		}
		dst = append(dst, s[at:i]...)
		at = i + 1
		switch ch {
		case '"', '\\':
			dst = append(dst, '\\', ch)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[ch>>4], hexDigits[ch&15])
		}
	}
	dst = append(dst, s[at:]...)
	return append(dst, '"')
}
