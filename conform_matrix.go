package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rtmkit/rtmkit/conformance"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/reports"
)

type conformMatrixCommand struct {
	File    string   `arg:"" type:"existingfile" help:"YAML file with the lists servers and clients."`
	Out     string   `required:"" placeholder:"DIR" help:"Write grid.json, grid.md, index.html and a folder for each run here."`
	Only    []string `placeholder:"ID" help:"Judge these requirements only; repeatable, * and ? are wildcards."`
	Slow    bool     `help:"Judge also what takes longer than 5 s with the limits that a server announces."`
	Seed    int64    `placeholder:"N" help:"Order of the specs; 0 takes a new one."`
	Workers int      `default:"${workers}" placeholder:"N" help:"Judge this many parts of a run at a time."`
}

// matrixFile is the file of the matrix command.
type matrixFile struct {
	Servers []matrixServer `yaml:"servers"`
	Clients []matrixClient `yaml:"clients"`
}

// matrixServer is one column: a server by its URL, by a command that starts it, or the
// reference server when it has neither.
type matrixServer struct {
	Name         string   `yaml:"name"`
	URL          string   `yaml:"url"`
	Command      string   `yaml:"command"`
	AppID        string   `yaml:"app_id"`
	OtherAppID   string   `yaml:"other_app_id"`
	TokenCommand string   `yaml:"token_command"`
	Claims       []string `yaml:"claims"`
	TLSCA        string   `yaml:"tls_ca"`
	Insecure     bool     `yaml:"insecure"`
}

// matrixClient is one row: the command of an adapter, or this project's own SDK when it
// has none.
type matrixClient struct {
	Name    string   `yaml:"name"`
	Command []string `yaml:"command"`
}

// readMatrix reads the file and names whatever is wrong with it.
func readMatrix(path string) (*matrixFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fail(exitUsage, "%s: %w", path, plainPath(err))
	}
	file := new(matrixFile)
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fail(exitUsage, "%s: %s", path, yamlSentence(err))
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fail(exitUsage, "%s: something stands after the lists", path)
	}
	if len(file.Servers) == 0 || len(file.Clients) == 0 {
		return nil, fail(exitUsage, "%s: it needs a list servers and a list clients, each with at least one entry", path)
	}
	names := make(map[string]bool)
	check := func(list string, i int, name string) error {
		switch {
		case name == "" || strings.ContainsFunc(name, func(r rune) bool { return !plainName(r) }) || strings.Trim(name, ".") == "":
			return fail(exitUsage, "%s: entry %d of %s needs a name of letters, digits, dots, dashes and underscores, which names its folder", path, i+1, list)
		case names[list+" "+name]:
			return fail(exitUsage, "%s: the name %s stands twice in %s", path, name, list)
		}
		names[list+" "+name] = true
		return nil
	}
	for i, server := range file.Servers {
		if err := check("servers", i, server.Name); err != nil {
			return nil, err
		}
		if server.URL != "" && server.Command != "" {
			return nil, fail(exitUsage, "%s: the server %s has a url and a command; give the one that fits", path, server.Name)
		}
		for _, claim := range server.Claims {
			if !catalogue.Embedded().HasProfile(claim) {
				return nil, fail(exitUsage, "%s: the server %s claims %s, which is no profile; the nearest is %s", path, server.Name, claim,
					catalogue.Nearest(claim, catalogue.Embedded().ProfileNames()))
			}
		}
	}
	for i, client := range file.Clients {
		if err := check("clients", i, client.Name); err != nil {
			return nil, err
		}
	}
	return file, nil
}

func plainName(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_'
}

// Run judges each server alone, then each client against each server, and draws the
// grid. A pair that cannot be judged is a cell that says why.
func (c *conformMatrixCommand) Run(a *app) error {
	file, err := readMatrix(c.File)
	if err != nil {
		return err
	}
	if c.Workers < 1 || c.Workers > 64 {
		return fail(exitUsage, "--workers %d: give a number from 1 to 64", c.Workers)
	}
	if err := prepareOut(c.Out); err != nil {
		return err
	}
	if c.Seed == 0 {
		c.Seed = conformance.NewSeed()
	}
	grid := &reports.Grid{
		Schema: reports.GridSchema, SuiteVersion: version, CatalogueSHA256: catalogue.Embedded().SHA256(),
		Seed: c.Seed, StartedAt: time.Now().UTC(), Command: a.command(),
	}
	for _, server := range file.Servers {
		grid.Servers = append(grid.Servers, reports.Identity{Kind: "server", Name: server.Name})
	}
	code := exitOK
	worst := func(cell reports.Cell) { code = graver(code, exitCode(cell.ExitCode)) }
	grid.ServersAlone = make([]reports.Cell, len(file.Servers))
	for i, server := range file.Servers {
		grid.ServersAlone[i] = c.cell(a, server, nil)
		worst(grid.ServersAlone[i])
	}
	for _, client := range file.Clients {
		grid.Clients = append(grid.Clients, reports.Identity{Kind: "client", Name: client.Name})
		row := make([]reports.Cell, len(file.Servers))
		for i, server := range file.Servers {
			row[i] = c.cell(a, server, &client)
			worst(row[i])
		}
		grid.Cells = append(grid.Cells, row)
	}
	grid.EndedAt, grid.Interrupted = time.Now().UTC(), a.ctx.Err() != nil
	if err := reports.WriteGrid(c.Out, grid); err != nil {
		return fail(exitBroken, "the grid could not be written: %w", err)
	}
	printGrid(a.stdout, grid)
	fmt.Fprintf(a.stdout, "grid  %s\n", filepath.Join(c.Out, reports.PageFile))
	if a.ctx.Err() != nil {
		code = exitInterrupted
	}
	return verdict(code)
}

// cell judges a client against a server, or the server alone, in a folder of its own.
func (c *conformMatrixCommand) cell(a *app, server matrixServer, client *matrixClient) reports.Cell {
	folder := server.Name
	run := conformRunCommand{Only: c.Only, Seed: c.Seed, Slow: c.Slow, Workers: c.Workers, Repeat: 1}
	run.serverFlags = serverFlags{
		Server: server.URL, ServerCommand: server.Command, AppID: server.AppID, OtherAppID: server.OtherAppID,
		TokenCommand: server.TokenCommand, SlowFactor: 1, tlsFlags: tlsFlags{TLSCA: server.TLSCA, Insecure: server.Insecure},
	}
	if run.AppID == "" {
		run.AppID = defaultAppID
	}
	if client == nil {
		run.Claim, run.alone = server.Claims, true
	} else {
		folder += "-with-" + client.Name
		run.Client, run.Command = true, client.Command
		if len(client.Command) == 0 {
			run.Command = ownAdapter()
		}
	}
	unjudged := func(code exitCode, err error) reports.Cell {
		return reports.Cell{Verdict: reports.CellNotJudged, ExitCode: int(code), Reason: reports.Redact(withoutPackage(err))}
	}
	fmt.Fprintf(a.stderr, "%s\n", folder)
	report, code, err := run.judge(a)
	if err != nil {
		return unjudged(code, err)
	}
	if err := finish(report, code, filepath.Join(c.Out, folder)); err != nil {
		return unjudged(exitBroken, err)
	}
	return reports.NewCell(report.Conformance, int(code), folder)
}

// ownAdapter is the command of this project's SDK as a client under test.
func ownAdapter() []string {
	self, err := os.Executable()
	if err != nil {
		self = "rtmkit"
	}
	return []string{self, "adapter", "go"}
}

// printGrid draws the grid for a terminal.
func printGrid(w io.Writer, grid *reports.Grid) {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprint(table, "")
	for _, server := range grid.Servers {
		fmt.Fprintf(table, "\t%s", server.Name)
	}
	row := func(name string, cells []reports.Cell) {
		fmt.Fprintf(table, "\n%s", name)
		for _, cell := range cells {
			text := string(cell.Verdict)
			if len(cell.Failed) > 0 {
				text += fmt.Sprintf(" (%d)", len(cell.Failed))
			}
			fmt.Fprintf(table, "\t%s", text)
		}
	}
	row("(alone)", grid.ServersAlone)
	for i, client := range grid.Clients {
		row(client.Name, grid.Cells[i])
	}
	fmt.Fprintln(table)
	_ = table.Flush()
	for i := range grid.Clients {
		for k, cell := range grid.Cells[i] {
			if cell.Reason != "" {
				fmt.Fprintf(w, "%s with %s: %s\n", grid.Servers[k].Name, grid.Clients[i].Name, cell.Reason)
			}
		}
	}
	for k, cell := range grid.ServersAlone {
		if cell.Reason != "" {
			fmt.Fprintf(w, "%s: %s\n", grid.Servers[k].Name, cell.Reason)
		}
	}
}
