package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

type adapterUselessCommand struct {
	Kind string `arg:"" help:"What it does."`
}

// Run is an adapter that cannot be judged.
func (c *adapterUselessCommand) Run(a *app) error {
	var kinds []string
	for _, harness := range harnessCases {
		if harness.adapter != "" {
			kinds = append(kinds, harness.adapter)
		}
	}
	if !slices.Contains(kinds, c.Kind) {
		return fail(exitUsage, "%s is no useless adapter; there are %s", c.Kind, strings.Join(kinds, ", "))
	}
	switch c.Kind {
	case "dies":
		return fail(exitBroken, "this adapter was made to die")
	case "mute":
		_, _ = io.Copy(io.Discard, a.stdin)
		return nil
	case "chatty":
		fmt.Fprintln(a.stdout, "INFO adapter is starting")
	case "floods":
		for {
			if _, err := fmt.Fprintln(a.stdout, `{"event":"TokenExpired","client":"c1","listener":""}`); err != nil {
				return nil
			}
		}
	}
	lines := bufio.NewScanner(a.stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Seq int64  `json:"seq"`
			Cmd string `json:"cmd"`
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			return fail(exitBroken, "the command cannot be read")
		}
		for _, reply := range c.reply(line.Seq, line.Cmd) {
			fmt.Fprintln(a.stdout, reply)
		}
	}
	return nil
}

// reply returns what it answers to a command.
func (c *adapterUselessCommand) reply(seq int64, cmd string) []string {
	profiles := `["core"]`
	if c.Kind == "boastful" {
		profiles = `["core","chanels"]`
	}
	reply := fmt.Sprintf(`{"seq":%d,"unsupported":true}`, seq)
	switch {
	case cmd == "hello":
		reply = fmt.Sprintf(`{"seq":%d,"ok":{"sdk":"useless","version":"1","language":"go","profiles":%s}}`, seq, profiles)
	case c.Kind == "agrees", cmd == "createClient", cmd == "listen", cmd == "close":
		reply = fmt.Sprintf(`{"seq":%d,"ok":{}}`, seq)
	case cmd == "login":
		reply = fmt.Sprintf(`{"seq":%d,"error":{"op":"login","code":2,"name":"LOGIN_ERR_REJECTED"}}`, seq)
	}
	switch c.Kind {
	case "twice":
		return []string{reply, reply}
	case "elsewhere":
		return []string{strings.Replace(reply, fmt.Sprint(seq), fmt.Sprint(seq+1000), 1)}
	}
	return []string{reply}
}
