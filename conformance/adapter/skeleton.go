package adapter

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed skeleton/skeleton.go.txt skeleton/skeleton.mjs skeleton/skeleton.py
var skeletons embed.FS

// skeletonFiles are the names of the skeletons by their languages. That of Go has a name that no Go tool compiles.
var skeletonFiles = []struct{ language, file string }{
	{"go", "skeleton.go.txt"}, {"javascript", "skeleton.mjs"}, {"python", "skeleton.py"},
}

// SkeletonLanguages returns the languages for which there is a skeleton, in alphabetical order.
func SkeletonLanguages() []string {
	languages := make([]string, len(skeletonFiles))
	for i, skeleton := range skeletonFiles {
		languages[i] = skeleton.language
	}
	return languages
}

// Skeleton returns the text of a program to start a client adapter from, in a language of [SkeletonLanguages]. It needs
// nothing but its language: Go 1.22, Node 20 or Python 3.9, or later. As it stands it answers hello, claims no profile and
// answers every other command with unsupported; the calls of the SDK are left to fill in. The error is about a language for
// which there is none, and names those for which there is.
func Skeleton(language string) ([]byte, error) {
	for _, skeleton := range skeletonFiles {
		if skeleton.language == language {
			return skeletons.ReadFile("skeleton/" + skeleton.file)
		}
	}
	return nil, fmt.Errorf("there is no skeleton in %q; there are %s", language, strings.Join(SkeletonLanguages(), ", "))
}
