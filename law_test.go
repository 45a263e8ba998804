package main

import (
	"encoding/json"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/rtmkit/rtmkit/"

// law says what a room may not reach, directly or through others.
var law = []struct {
	room   string   // import path below the module; "/..." for everything below it
	never  []string // prefixes of import paths
	reason string
}{
	{"sdk/wire", []string{module, "github.com/gorilla", "github.com/onsi", "net/http"}, "the protocol stands alone"},
	{"sdk/token", []string{module, "github.com", "golang.org/x"}, "tokens need the standard library only"},
	{"sdk", []string{"github.com/onsi", module + "reference-server", module + "conformance", module + "loadgen", module + "reports"}, "a user of the SDK must not get our tools"},
	{"reference-server/...", []string{"=" + module + "sdk", "github.com/onsi", module + "conformance", module + "loadgen", module + "reports"}, "the server must not lean on the client that it is tested with"},
	{"conformance/catalogue", []string{module, "github.com/onsi", "github.com/gorilla"}, "the catalogue is data"},
	{"conformance/probe", []string{module, "github.com/onsi"}, "the probe has its own encoder, so that a codec bug cannot hide"},
	{"conformance/faults", []string{module, "github.com"}, "a fault must not lean on the codec of the pair that it breaks"},
	{"conformance/adapter", []string{"github.com/onsi", module + "conformance", module + "reference-server", module + "loadgen"}, "a vendor serves a client with it and must not get the suite"},
	{"conformance/model", []string{module + "sdk", module + "conformance/specs", module + "conformance/catalogue", "github.com/onsi"}, "the model judges by the protocol alone, and specs build on it"},
	{"conformance/faultnet", []string{module, "github.com"}, "a TCP proxy needs the standard library only"},
	{"conformance/...", []string{module + "reference-server", module + "loadgen"}, "the suite must judge any server"},
	{"loadgen/...", []string{module + "reference-server", module + "conformance", "github.com/onsi"}, "the generator must load any server"},
	{"reports/...", []string{module + "sdk", module + "reference-server", module + "conformance", module + "loadgen", "github.com/onsi"}, "results are data"},
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, pattern string) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", pattern).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pattern, err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestRoomsReachOnlyWhatTheLawAllows(t *testing.T) {
	imports := map[string][]string{}
	for _, p := range list(t, "./...") {
		imports[p.ImportPath] = p.Imports
	}
	for _, l := range law {
		for _, p := range list(t, "./"+l.room) {
			for _, dep := range p.Deps {
				for _, never := range l.never {
					banned := strings.HasPrefix(dep, never)
					if exact, ok := strings.CutPrefix(never, "="); ok {
						banned = dep == exact
					}
					within := strings.HasPrefix(dep, module+strings.TrimSuffix(strings.TrimSuffix(l.room, "..."), "/")) && strings.HasSuffix(l.room, "...")
					if banned && !within {
						t.Errorf("%s reaches %s, because %s.\n\tpath: %s", p.ImportPath, dep, l.reason,
							strings.Join(path(imports, p.ImportPath, dep), " -> "))
					}
				}
			}
		}
	}
}

// path returns how from comes to import to, through packages of this module.
func path(imports map[string][]string, from, to string) []string {
	before := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, next := range imports[queue[0]] {
			if _, seen := before[next]; seen {
				continue
			}
			before[next] = queue[0]
			if next == to {
				var steps []string
				for at := to; at != ""; at = before[at] {
					steps = append([]string{at}, steps...)
				}
				return steps
			}
			queue = append(queue, next)
		}
	}
	return []string{from, "…", to}
}

// packages parses every package of the module, without its tests.
func packages(t *testing.T) map[string]*doc.Package {
	t.Helper()
	found := map[string]*doc.Package{}
	err := filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); dir != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "out") {
			return filepath.SkipDir
		}
		names, _ := filepath.Glob(filepath.Join(dir, "*.go"))
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			files = append(files, file)
		}
		if len(files) == 0 {
			return nil
		}
		p, err := doc.NewFromFiles(fset, files, module+filepath.ToSlash(dir), doc.PreserveAST)
		found[dir] = p
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestEveryPackageAndExportedThingHasADocComment(t *testing.T) {
	for dir, p := range packages(t) {
		if !strings.HasPrefix(p.Doc, "Package "+p.Name) && !strings.HasPrefix(p.Doc, "Command ") {
			t.Errorf("%s: the package comment does not begin with %q", dir, "Package "+p.Name)
		}
		if p.Name == "main" {
			continue
		}
		needs := func(what, text string) {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s has no doc comment", dir, what)
			}
		}
		values := func(groups []*doc.Value) {
			for _, g := range groups {
				for _, spec := range g.Decl.Specs {
					v := spec.(*ast.ValueSpec)
					for _, name := range v.Names {
						if name.IsExported() {
							needs(name.Name, v.Doc.Text()+v.Comment.Text()+single(g))
						}
					}
				}
			}
		}
		values(p.Consts)
		values(p.Vars)
		for _, f := range p.Funcs {
			needs(f.Name, f.Doc)
		}
		for _, typ := range p.Types {
			needs(typ.Name, typ.Doc)
			values(typ.Consts)
			values(typ.Vars)
			for _, f := range typ.Funcs {
				needs(f.Name, f.Doc)
			}
			for _, m := range typ.Methods {
				needs(typ.Name+"."+m.Name, m.Doc)
			}
			for _, spec := range typ.Decl.Specs {
				fields(spec.(*ast.TypeSpec), needs)
			}
		}
	}
}

// single returns the comment of a declaration that declares one thing.
func single(v *doc.Value) string {
	if len(v.Decl.Specs) == 1 {
		return v.Doc
	}
	return ""
}

func fields(spec *ast.TypeSpec, needs func(what, text string)) {
	var list *ast.FieldList
	switch typ := spec.Type.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list = typ.Methods
	default:
		return
	}
	for _, f := range list.List {
		for _, name := range f.Names {
			if name.IsExported() && spec.Name.IsExported() {
				needs(spec.Name.Name+"."+name.Name, f.Doc.Text()+f.Comment.Text())
			}
		}
	}
}

func TestEveryDependencyHasItsLineInContributing(t *testing.T) {
	page, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(words) != 2 || !strings.HasPrefix(words[1], "v") {
			continue // not a requirement, or one with a comment: indirect
		}
		if !strings.Contains(string(page), "`"+words[0]+"`") {
			t.Errorf("CONTRIBUTING.md has no line that says why %s is there", words[0])
		}
	}
}

func TestGinkgoStaysInTheSuite(t *testing.T) {
	out, err := exec.Command("git", "grep", "-lE", `"github.com/onsi/(ginkgo|gomega)`, "--", "*.go").Output()
	if err != nil && len(out) == 0 {
		t.Skip("no git checkout to search")
	}
	for file := range strings.Lines(string(out)) {
		if file = strings.TrimSpace(file); !strings.HasPrefix(file, "conformance/") {
			t.Errorf("%s imports Ginkgo or Gomega outside conformance", file)
		}
	}
}
