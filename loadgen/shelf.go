package loadgen

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed shelf/*.yaml
var shelf embed.FS

// Shelved is a workload that comes with the generator, ready to run.
type Shelved struct {
	// Name is what it is called on the command line.
	Name string
	// Question is what it answers, in one sentence: the first comment of its file.
	Question string
	// Text is its file.
	Text []byte
}

// Shelf returns the workloads that come with the generator, by name in alphabetical order.
func Shelf() []Shelved {
	files, err := fs.Glob(shelf, "shelf/*.yaml")
	if err != nil {
		panic(err) // the pattern is constant
	}
	var list []Shelved
	for _, file := range files {
		text, err := shelf.ReadFile(file)
		if err != nil {
			panic(err) // it was embedded a line above
		}
		first, _, _ := strings.Cut(string(text), "\n")
		list = append(list, Shelved{
			Name: strings.TrimSuffix(path.Base(file), ".yaml"), Question: strings.TrimPrefix(first, "# "), Text: text,
		})
	}
	return list
}

// FromShelf returns the shelved workload of the name, and false when there is none.
func FromShelf(name string) (Shelved, bool) {
	for _, s := range Shelf() {
		if s.Name == name {
			return s, true
		}
	}
	return Shelved{}, false
}

// Workload reads the shelved file.
func (s Shelved) Workload() (Workload, error) {
	return ParseWorkload(s.Name+".yaml", s.Text)
}
