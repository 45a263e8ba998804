package reports

import "reflect"

// hostile is a text that tries to leave every place it may be put into: HTML
// text, attributes, links, styles, SVG, Markdown tables and XML.
const hostile = "\"'><script>document.title='x'</script><img src=x onerror=alert(1)>`|](javascript:alert(1))\n]]>--><b onclick=x>\x01http://evil.example/"

// hostileReport is a full report in which every free text is hostile.
func hostileReport() *Report {
	r := failingReport()
	setTexts(reflect.ValueOf(r))
	return r
}

func setTexts(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			setTexts(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			switch name := v.Type().Field(i).Name; name {
			case "Schema", "ID", "Until", "Wire", "WireSHA256":
			default:
				setTexts(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			setTexts(v.Index(i))
		}
	case reflect.String:
		// Closed sets are types of their own; only free text can be hostile.
		if v.CanSet() && v.Type() == reflect.TypeFor[string]() {
			v.SetString(hostile)
		}
	}
}
