package reports

import "testing"

func TestDurationsHaveThreeDigits(t *testing.T) {
	for ns, want := range map[int64]string{
		0: "0\u00a0ns", 812: "812\u00a0ns", 999: "999\u00a0ns", 1000: "1.00\u00a0µs", 12_345: "12.3\u00a0µs", 253_100: "253\u00a0µs", 999_499: "999\u00a0µs", 999_500: "1.00\u00a0ms",
		1_240_000: "1.24\u00a0ms", 9_996_000: "10.0\u00a0ms", 99_960_000: "100\u00a0ms", 2_050_000_000: "2.05\u00a0s", 60e9: "60.0\u00a0s", 4_000e9: "4,000\u00a0s", -1_500_000: "-1.50\u00a0ms",
	} {
		if got := formatNS(ns); got != want {
			t.Errorf("formatNS(%d) = %q, want %q", ns, got, want)
		}
	}
}

func TestCountsHaveCommas(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := formatCount(n); got != want {
			t.Errorf("formatCount(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestLinksStayInTheFolder(t *testing.T) {
	for name, want := range map[string]string{
		"load-peer/latency.hlog": "./load-peer/latency.hlog", "javascript:alert(1)": "./javascript:alert(1)", "../../etc/passwd": "./etc/passwd",
		"//evil.example/x": "./evil.example/x", `\\evil\x`: "./evil/x", "http://evil.example": "./http:/evil.example",
	} {
		if got := safeURL(name); got != want {
			t.Errorf("safeURL(%q) = %q, want %q", name, got, want)
		}
	}
}
