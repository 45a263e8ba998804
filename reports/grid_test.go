package reports

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// fixtureGrid has every verdict of a cell in it.
func fixtureGrid() *Grid {
	cell := func(v CellVerdict, report string, exit int, failed ...string) Cell {
		c := Cell{Verdict: v, ExitCode: exit, Failed: failed, Report: report}
		if v != CellNotJudged {
			c.Counts = map[Verdict]int{Pass: 90 - len(failed), NotDeclared: 6}
			if len(failed) > 0 {
				c.Counts[Fail] = len(failed)
			}
		}
		return c
	}
	unjudged := cell(CellNotJudged, "", 3)
	unjudged.Reason = "the adapter ended before it answered hello: exit code 127"
	return &Grid{
		Schema: GridSchema, SuiteVersion: "0.2.0", CatalogueSHA256: strings.Repeat("9f86d081884c7d65", 4), Seed: 41,
		StartedAt: fixtureStart, EndedAt: fixtureStart.Add(3 * time.Minute), Command: "rtmkit conform matrix rtmkit.yaml --out out",
		Notes:   []string{"Call limits are off on every server."},
		Clients: []Identity{{Kind: "client", Name: "rtmkit", Version: "0.2.0", Language: "go"}, {Kind: "client", Name: "example-sdk", Version: "2.3.1", Language: "kotlin"}, {Kind: "client", Name: "other", Version: "1.0"}},
		Servers: []Identity{{Kind: "server", Name: "rtmkit reference", Version: "0.2.0", URL: "ws://127.0.0.1:41233/rtm/v1"}, {Kind: "server", Name: "example", Version: "9"}},
		Cells: [][]Cell{
			{cell(CellConformant, "rtmkit/rtmkit-reference", 0), cell(CellNotConformant, "rtmkit/example", 1, "RTM-PEER-002", "RTM-CHANNEL-009")},
			{cell(CellPartial, "example-sdk/rtmkit-reference", 0), cell(CellNotConformant, "example-sdk/example", 1, "RTM-CHANNEL-009")},
			{unjudged, unjudged},
		},
		ServersAlone: []Cell{cell(CellConformant, "servers/rtmkit-reference", 0), cell(CellNotConformant, "servers/example", 1, "RTM-CHANNEL-009")},
		ClientsAlone: []Cell{cell(CellConformant, "clients/rtmkit", 0), cell(CellPartial, "clients/example-sdk", 0), unjudged},
	}
}

func TestACellSaysWhatItsRunFound(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*Conformance)
		exit  int
		want  CellVerdict
	}{
		"all profiles conform":   {func(*Conformance) {}, 0, CellConformant},
		"a failure":              {func(c *Conformance) { c.Requirements[0].Verdict = Fail }, 1, CellNotConformant},
		"flaky":                  {func(c *Conformance) { c.Requirements[0].Verdict = Flaky }, 1, CellNotConformant},
		"a provisional failure":  {func(c *Conformance) { c.Requirements[0].Verdict, c.Requirements[0].Provisional = Fail, true }, 0, CellConformant},
		"a partial profile":      {func(c *Conformance) { c.Profiles[0].Verdict = Partial }, 0, CellPartial},
		"an interruption":        {func(c *Conformance) { c.Interrupted = true }, 130, CellPartial},
		"an error of the suite":  {func(c *Conformance) { c.Requirements[0].Verdict = Error }, 4, CellNotJudged},
		"nothing was judged":     {func(c *Conformance) { c.Requirements = nil }, 1, CellNotJudged},
		"a failed strict run":    {func(*Conformance) {}, 1, CellNotConformant},
		"no profile was claimed": {func(c *Conformance) { c.Profiles = nil }, 0, CellPartial},
	} {
		c := passingConformance()
		tt.spoil(c)
		if got := NewCell(c, tt.exit, "x"); got.Verdict != tt.want || got.Verdict == CellNotJudged && got.Reason == "" {
			t.Errorf("%s: the cell says %q (%s), want %q", name, got.Verdict, got.Reason, tt.want)
		}
	}
	if got := NewCell(nil, 3, ""); got.Verdict != CellNotJudged || got.ExitCode != 3 {
		t.Errorf("a run without result: %+v", got)
	}
	c := failingConformance()
	if got := NewCell(c, 1, "x"); !slices.Equal(got.Failed, []string{"RTM-PEER-002", "RTM-PEER-005", "RTM-PEER-008", "RTM-CHANNEL-009", "RTM-PRESENCE-002"}) || got.Counts[Fail] != 4 {
		t.Errorf("%+v", got)
	}
}

func TestAGridThatContradictsItselfIsRefused(t *testing.T) {
	if err := fixtureGrid().validate(); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*Grid){
		"schema is":             func(g *Grid) { g.Schema = "rtmkit-grid/v2" },
		"2 rows of cells for 3": func(g *Grid) { g.Cells = g.Cells[:2] },
		"1 cells, not 2":        func(g *Grid) { g.Cells[1] = g.Cells[1][:1] },
		"servers_alone: there":  func(g *Grid) { g.ServersAlone = g.ServersAlone[:1] },
		"clients_alone: there":  func(g *Grid) { g.ClientsAlone = g.ClientsAlone[:1] },
		"unknown verdict":       func(g *Grid) { g.Cells[0][0].Verdict = "good" },
		"counts the unknown":    func(g *Grid) { g.Cells[0][0].Counts["good"] = 1 },
		"lies outside":          func(g *Grid) { g.Cells[0][0].Report = "../elsewhere" },
	} {
		g := fixtureGrid()
		spoil(g)
		if err := g.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestReadGridGivesBackWhatWasWritten(t *testing.T) {
	dir, want := t.TempDir(), fixtureGrid()
	if err := WriteGrid(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadGrid(dir)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read something else than was written: %v", err)
	}
	if err := satisfies(t, "grid.schema.json", "", filepath.Join(dir, GridFile)); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, GridSummaryFile))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "golden", GridSummaryFile), text)
	page, err := os.ReadFile(filepath.Join(dir, PageFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{"./rtmkit/rtmkit-reference/index.html", "./example-sdk/example/index.html", "./servers/example/index.html", "./clients/rtmkit/index.html"} {
		if !strings.Contains(string(page), `href="`+link+`"`) {
			t.Errorf("no cell leads to %s", link)
		}
	}
	bad := fixtureGrid()
	bad.Cells = nil
	if err := WriteGrid(dir, bad); err == nil {
		t.Error("a grid was written that ReadGrid would refuse")
	}
}

func TestHostileTextsLeaveTheGridWhole(t *testing.T) {
	g := fixtureGrid()
	setTexts(reflect.ValueOf(g))
	dir := t.TempDir()
	if err := WriteGrid(dir, g); err != nil {
		t.Fatal(err)
	}
	staysText(t, filepath.Join(dir, PageFile), filepath.Join(dir, GridSummaryFile))
}
