package record

import "fmt"

// Verify says what is wrong with the bytes of a parsed record; raw is the whole record. The checksum of all of it decides
// where there is one. Without it the body's checksum does; that does not cover the properties, which writers end in a
// separator or in text (see PlanProperties) and a tear in zeros.
func (r *Record) Verify(raw []byte) error {
	if present, ok := VerifyPropCRC(raw); present {
		if !ok {
			return fmt.Errorf("record at %d: checksum of the record is wrong", r.PhysicalOffset)
		}
		return nil
	}
	if n := len(r.Properties); n > 0 && r.Properties[n-1] == 0 {
		return fmt.Errorf("record at %d: properties are torn", r.PhysicalOffset)
	}
	return r.VerifyBody()
}
