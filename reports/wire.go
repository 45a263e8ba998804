package reports

// WireFolder is the folder of wire traces inside a report folder.
const WireFolder = "wire"

// wireFile is the place of a requirement's trace inside the report folder.
func wireFile(id string) string { return WireFolder + "/" + id + ".jsonl" }
