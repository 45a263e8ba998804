package wire

import "fmt"

// MaxIDBytes is the longest uid or channel id, in bytes (rule 12).
const MaxIDBytes = 64

// AppIDBytes is the length of an app id (rule 3).
const AppIDBytes = 32

// idByte marks the 89 characters of uids and channel ids (rule 13).
var idByte = func() (set [256]bool) {
	for c := '0'; c <= '9'; c++ {
		set[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		set[c], set[c-'a'+'A'] = true, true
	}
	for _, c := range []byte(" !#$%&()+-:;<=.>?@[]^_{}|~,") {
		set[c] = true
	}
	return set
}()

// CheckID returns nil if id may be a uid or a channel id, and else an error that
// says what is wrong. An id has 1 to 64 bytes, all of them letters, digits, spaces
// or one of !#$%&()+-:;<=.>?@[]^_{}|~, and is not the word null. Ids are compared
// byte for byte, and spaces count. Rules 9 to 23.
func CheckID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("it is empty; an id has 1 to %d characters", MaxIDBytes)
	case len(id) > MaxIDBytes:
		return fmt.Errorf("it has %d bytes; an id has at most %d", len(id), MaxIDBytes)
	case id == "null":
		return fmt.Errorf("it is the word null, which is reserved")
	}
	for i := 0; i < len(id); i++ {
		if !idByte[id[i]] {
			return fmt.Errorf("byte %d (%q) is not allowed in an id", i, id[i])
		}
	}
	return nil
}

// ValidID reports whether id may be a uid or a channel id, see [CheckID]. It takes
// the bytes of a frame and does not allocate.
func ValidID[T string | []byte](id T) bool {
	if len(id) == 0 || len(id) > MaxIDBytes || string(id) == "null" {
		return false
	}
	for i := 0; i < len(id); i++ {
		if !idByte[id[i]] {
			return false
		}
	}
	return true
}

// CheckAppID returns nil if id has exactly 32 letters and digits, and else an
// error that says what is wrong. App ids are compared as written. Rules 3 to 5.
func CheckAppID(id string) error {
	if len(id) != AppIDBytes {
		return fmt.Errorf("it has %d bytes; an app id has exactly %d", len(id), AppIDBytes)
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return fmt.Errorf("byte %d (%q) is not a letter or a digit", i, c)
		}
	}
	return nil
}
