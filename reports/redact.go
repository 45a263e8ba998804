package reports

import (
	"encoding/json"
	"reflect"
)

// redactedCopy returns a deep copy in which every text went through [Redact].
// It walks the whole value, so that a field added later cannot be forgotten.
func redactedCopy[T any](v *T) (*T, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	clean := new(T)
	if err := json.Unmarshal(text, clean); err != nil {
		return nil, err
	}
	redactStrings(reflect.ValueOf(clean))
	return clean, nil
}

func redactStrings(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			redactStrings(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				redactStrings(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			redactStrings(v.Index(i))
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(Redact(v.String()))
		}
	}
}
