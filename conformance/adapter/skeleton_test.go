package adapter

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// toolFor finds a program, or skips the test where it is missing, unless the environment demands that nothing be skipped.
func toolFor(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("RTMKIT_REQUIRE_ALL") != "" {
		t.Fatalf("%s is missing, and RTMKIT_REQUIRE_ALL is set: %v", name, err)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// skeletonArgs writes a skeleton into a folder of the test, with parts of it replaced, and returns how it is run.
func skeletonArgs(t *testing.T, language string, replaced ...string) []string {
	t.Helper()
	text, err := Skeleton(language)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replaced); i += 2 {
		if n := bytes.Count(text, []byte(replaced[i])); n != 1 {
			t.Fatalf("the skeleton has %q %d times and not once", replaced[i], n)
		}
		text = bytes.Replace(text, []byte(replaced[i]), []byte(replaced[i+1]), 1)
	}
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	switch language {
	case "javascript":
		return []string{toolFor(t, "node"), write("adapter.mjs", text)}
	case "python":
		return []string{toolFor(t, "python3"), write("adapter.py", text)}
	}
	write("main.go", text)
	write("go.mod", []byte("module adapter\n\ngo 1.22\n"))
	binary := filepath.Join(dir, "adapter.exe")
	build := exec.Command(toolFor(t, "go"), "build", "-o", binary, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the skeleton does not compile: %v\n%s", err, out)
	}
	return []string{binary}
}

func eachSkeleton(t *testing.T, test func(t *testing.T, args []string)) {
	for _, language := range SkeletonLanguages() {
		t.Run(language, func(t *testing.T) { test(t, skeletonArgs(t, language)) })
	}
}

func TestASkeletonSaysHelloIsHonestAndEndsWithItsStandardInput(t *testing.T) {
	eachSkeleton(t, func(t *testing.T, args []string) {
		program, err := Start(t.Context(), Command{Args: args})
		if err != nil {
			t.Fatal(err)
		}
		identity := program.Identity()
		if len(identity.Profiles) > 0 || !slices.Contains(SkeletonLanguages(), identity.Language) {
			t.Errorf("it claims the profiles %v in the language %q", identity.Profiles, identity.Language)
		}
		if err := program.Close(); err != nil {
			t.Error(err)
		}
	})
}

// bounded ends a skeleton that hangs, so that its test fails and does not hang too.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// skeletonSession gives an adapter lines, waits until it has answered all of them but some, and ends its standard input. It
// returns the replies by their seq.
func skeletonSession(t *testing.T, args []string, unanswered int, lines ...string) map[int]map[string]any {
	t.Helper()
	process := exec.CommandContext(bounded(t), args[0], args[1:]...)
	stdin, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	process.Stderr = &stderr
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdin.Write([]byte(strings.Join(lines, "\n") + "\n")); err != nil {
		t.Error(err)
	}
	replies := map[int]map[string]any{}
	for scanner := bufio.NewScanner(stdout); len(replies) < len(lines)-unanswered && scanner.Scan(); {
		var reply map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &reply); err != nil {
			t.Errorf("%s: %v", scanner.Bytes(), err)
			break
		}
		seq, _ := reply["seq"].(float64)
		replies[int(seq)] = reply
	}
	_ = stdin.Close()
	if err := process.Wait(); err != nil {
		t.Errorf("it ends with %v: %s", err, stderr.String())
	}
	return replies
}

func TestASkeletonAnswersEveryCommandOfTheProtocol(t *testing.T) {
	unsupported := []string{
		`{"seq":2,"cmd":"createClient","client":"c1","url":"ws://127.0.0.1:1/rtm/v1","app_id":"0123456789abcdef0123456789abcdef","timeouts":{}}`,
		`{"seq":3,"cmd":"listen","client":"c1","listener":""}`,
		`{"seq":4,"cmd":"login","client":"c1","uid":"alice","token":""}`,
		`{"seq":5,"cmd":"state","client":"c1"}`,
		`{"seq":6,"cmd":"renewToken","client":"c1","token":"t"}`,
		`{"seq":7,"cmd":"createMessage","client":"c1","message":"m1","text":"first line\u2028second"}`,
		`{"seq":8,"cmd":"createMessage","client":"c1","message":"m2","raw":"AAH/gA=="}`,
		`{"seq":9,"cmd":"sendPeer","client":"c1","to":"bob","message":null}`,
		`{"seq":10,"cmd":"memberCounts","client":"c1","channels":["lobby"]}`,
		`{"seq":11,"cmd":"createChannel","client":"c1","channel":"h1","id":"lobby"}`,
		`{"seq":12,"cmd":"joinChannel","channel":"h1"}`,
		`{"seq":13,"cmd":"sendChannel","channel":"h1","message":null}`,
		`{"seq":14,"cmd":"members","channel":"h1"}`,
		`{"seq":15,"cmd":"leaveChannel","channel":"h1"}`,
		`{"seq":16,"cmd":"removeAllListeners","client":"c1"}`,
		`{"seq":17,"cmd":"logout","client":"c1"}`,
		"{\"seq\":18,\"cmd\":\"not\u2028known\"}",
		`{"seq":19,"cmd":"close","client":"c1"}`,
	}
	eachSkeleton(t, func(t *testing.T, args []string) {
		replies := skeletonSession(t, args, 0, append([]string{`{"seq":1,"cmd":"hello","protocol":1}`}, unsupported...)...)
		if replies[1]["ok"] == nil {
			t.Errorf("hello is answered with %v", replies[1])
		}
		for i := range unsupported {
			if seq := i + 2; replies[seq]["unsupported"] != true {
				t.Errorf("the command %d is answered with %v", seq, replies[seq])
			}
		}
	})
}

func TestInASkeletonACommandThatWaitsKeepsNoOtherWaiting(t *testing.T) {
	// The TODO of each call by one that is enough to see it: a client without anything behind it, whose login hangs.
	for language, replaced := range map[string][]string{
		"go": {
			"return errUnsupported // TODO: c.sdk, err = acme.New(acme.Config{URL: url, AppID: appID, LoginTimeout: login})", "return nil",
			"return errUnsupported // TODO: return c.sdk.Login(uid, token)", "select {}",
			`return "", errUnsupported // TODO: return c.sdk.State().String(), nil`, `return "CONNECTING", nil`,
		},
		"javascript": {
			"throw unsupported; // TODO: this.sdk = new AcmeRtm(appId, { url, loginTimeout: timeouts.login_ms });", "",
			"throw unsupported; // TODO: await this.sdk.login({ uid, token: token || undefined });", "await new Promise(() => {});",
			"throw unsupported; // TODO: return this.sdk.connectionState;", "return 'CONNECTING';",
		},
		"python": {
			"raise Unsupported\n        # TODO: self.sdk = AcmeClient(", "#",
			"raise Unsupported  # TODO: await self.sdk.login(uid, token or None)", "await blocking(threading.Event().wait)",
			"raise Unsupported  # TODO: return self.sdk.state", `return "CONNECTING"`,
		},
	} {
		t.Run(language, func(t *testing.T) {
			replies := skeletonSession(t, skeletonArgs(t, language, replaced...), 1,
				`{"seq":1,"cmd":"createClient","client":"c1","url":"ws://127.0.0.1:1/rtm/v1","app_id":"0123456789abcdef0123456789abcdef","timeouts":{}}`,
				`{"seq":2,"cmd":"login","client":"c1","uid":"alice","token":""}`,
				`{"seq":3,"cmd":"state","client":"c1"}`,
			)
			if ok, _ := replies[3]["ok"].(map[string]any); replies[1]["ok"] == nil || replies[2] != nil || ok["state"] != "CONNECTING" {
				t.Errorf("the replies are %v", replies)
			}
		})
	}
}

func TestInASkeletonTheRefusalToMakeAMessageIsToldByItsSends(t *testing.T) {
	for language, replaced := range map[string][]string{
		"go": {
			"return errUnsupported // TODO: c.sdk, err = acme.New(acme.Config{URL: url, AppID: appID, LoginTimeout: login})", "return nil",
			"return nil, errUnsupported // TODO: return acme.NewText(text), nil", `return nil, errors.New("too large")`,
			"	// }\n	return nil\n}", "	// }\n	return object{\"code\": 7, \"name\": op, \"native\": err.Error()}\n}",
		},
		"javascript": {
			"throw unsupported; // TODO: this.sdk = new AcmeRtm(appId, { url, loginTimeout: timeouts.login_ms });", "",
			"throw unsupported;\n    // TODO: return text === undefined", "throw new Error('too large'); //",
			"  throw error;\n}\n\n// ----", "  return { code: 7, name: op, native: error.message };\n}\n\n// ----",
		},
		"python": {
			"raise Unsupported\n        # TODO: self.sdk = AcmeClient(", "#",
			"raise Unsupported  # TODO: return self.sdk.raw(raw, description) if text is None else self.sdk.text(text)", `raise ValueError("too large")`,
			"    raise error\n\n\n# ----", "    return {\"code\": 7, \"name\": op, \"native\": str(error)}\n\n\n# ----",
		},
	} {
		t.Run(language, func(t *testing.T) {
			replies := skeletonSession(t, skeletonArgs(t, language, replaced...), 0,
				`{"seq":1,"cmd":"createClient","client":"c1","url":"ws://127.0.0.1:1/rtm/v1","app_id":"0123456789abcdef0123456789abcdef","timeouts":{}}`,
				`{"seq":2,"cmd":"createMessage","client":"c1","message":"m1","text":"much"}`,
				`{"seq":3,"cmd":"sendPeer","client":"c1","to":"bob","message":"m1"}`,
				`{"seq":4,"cmd":"sendPeer","client":"c1","to":"bob","message":"m1"}`,
			)
			for _, seq := range []int{3, 4} {
				said, _ := replies[seq]["error"].(map[string]any)
				if replies[2]["ok"] == nil || said["op"] != "peer.send" || said["name"] != "peer.send" || said["native"] != "too large" {
					t.Errorf("the replies are %v", replies)
				}
			}
		})
	}
}

func TestASkeletonDoesNotSpeakAnotherVersion(t *testing.T) {
	eachSkeleton(t, func(t *testing.T, args []string) {
		replies := skeletonSession(t, args, 0, `{"seq":1,"cmd":"hello","protocol":2}`)
		if replies[1]["unsupported"] != true {
			t.Errorf("hello is answered with %v", replies[1])
		}
	})
}

func TestASkeletonEndsOverACommandThatIsWrong(t *testing.T) {
	eachSkeleton(t, func(t *testing.T, args []string) {
		for line, names := range map[string]string{
			`{"seq":1,"cmd":"login","client":"c7","uid":"alice","token":""}`: `"c7"`,
			`{"seq":1,"cmd":"state"}`: `"client"`,
			`{"cmd":"hello"}`:         "seq",
			`hello`:                   "a line",
		} {
			process := exec.CommandContext(bounded(t), args[0], args[1:]...)
			stdin, err := process.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			process.Stderr = &stderr
			if err := process.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := stdin.Write([]byte(line + "\n")); err != nil {
				t.Error(err)
			}
			// Its standard input stays open: what ends it is the line.
			if err := process.Wait(); err == nil || !strings.Contains(stderr.String(), names) {
				t.Errorf("%s: it ends with %v and says %q, not of %s", line, err, stderr.String(), names)
			}
			_ = stdin.Close()
		}
	})
}

func TestASkeletonInAnotherLanguageIsRefusedWithTheLanguagesThatThereAre(t *testing.T) {
	_, err := Skeleton("cobol")
	if err == nil {
		t.Fatal("there is one")
	}
	for _, language := range append(SkeletonLanguages(), "cobol") {
		if !strings.Contains(err.Error(), language) {
			t.Errorf("%q does not name %s", err, language)
		}
	}
}
