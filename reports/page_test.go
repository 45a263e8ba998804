package reports

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// lowContrast is a program for the page. It returns each text whose colour
// stands out less from its ground than WCAG 2 level AA asks for.
const lowContrast = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = c => { canvas.clearRect(0,0,1,1); canvas.fillStyle = c; canvas.fillRect(0,0,1,1); return [...canvas.getImageData(0,0,1,1).data]; };
  const light = c => { const f = c.slice(0,3).map(v => { v /= 255; return v <= .04045 ? v/12.92 : ((v+.055)/1.055)**2.4 }); return .2126*f[0]+.7152*f[1]+.0722*f[2]; };
  const ground = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return [255,255,255,255]; };
  const found = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.getClientRects().length || ['TITLE','STYLE'].includes(e.tagName)) continue;
    const s = getComputedStyle(e);
    const ink = light(rgba(e instanceof SVGElement ? s.fill : s.color)), back = light(ground(e));
    const ratio = (Math.max(ink, back)+.05)/(Math.min(ink, back)+.05);
    const big = parseFloat(s.fontSize) >= 24;
    if (ratio < (big ? 3 : 4.5)) found.add(e.tagName + '.' + (e.getAttribute('class')||'') + ' ' + ratio.toFixed(2) + ' ' + walk.currentNode.data.trim().slice(0,30));
  }
  return [...found];
})()`

const visibleCells = `[...document.querySelectorAll('.cell summary')].filter(e => e.checkVisibility() && e.getBoundingClientRect().width >= 24).length`

// readable checks what every page has to keep: it fits the screen, its texts
// stand out, and it asks for nothing and raises no complaint.
func readable(t *testing.T, b *tab, l look) {
	t.Helper()
	if n := eval[int](b, `document.documentElement.scrollWidth`); n > int(l.width) {
		wide := eval[[]string](b, fmt.Sprintf(`[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > %d && !e.closest('.scroll')).map(e => e.tagName+'.'+e.getAttribute('class')).slice(0,5)`, l.width))
		t.Errorf("the page is %d px wide: %v", n, wide)
	}
	if texts := eval[[]string](b, lowContrast); len(texts) > 0 {
		t.Errorf("texts with too little contrast: %s", strings.Join(texts, "\n"))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) != 1 {
		t.Errorf("the page asked for %v, want itself only", b.requests)
	}
	if len(b.console) > 0 {
		t.Errorf("the browser complained: %v", b.console)
	}
}

// comparison writes a comparison and returns its page.
func comparison(t *testing.T) string {
	t.Helper()
	base, head := passingReport(), failingWithoutInvalid()
	for i := range head.Loads[0].Summary.Metrics {
		m := &head.Loads[0].Summary.Metrics[i]
		m.P50NS, m.P99NS = m.P50NS*9/10, m.P99NS*4/3
	}
	head.Environment.Cores = 4
	c, err := Compare(base, head)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := WriteComparison(dir, c); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, ComparisonPageFile)
}

func TestPageInBrowser(t *testing.T) {
	browser := startBrowser(t)
	pages := map[string]string{"passing": written(t, passingReport()), "failing": written(t, failingReport()), "compare": comparison(t)}
	for name, s := range map[string]*Selftest{"trusted": soundSelftest(), "doubtful": unsoundSelftest()} {
		dir := t.TempDir()
		if err := WriteSelftest(dir, s); err != nil {
			t.Fatal(err)
		}
		pages[name] = filepath.Join(dir, SelftestPageFile)
	}
	dir := t.TempDir()
	if err := WriteGrid(dir, fixtureGrid()); err != nil {
		t.Fatal(err)
	}
	pages["grid"] = filepath.Join(dir, PageFile)
	dir = t.TempDir()
	if err := WriteTable(dir, fixtureTable(t)); err != nil {
		t.Fatal(err)
	}
	pages["table"] = filepath.Join(dir, PageFile)
	pages["load"] = written(t, runReport(func(l *Load) { l.Floor = drawnFloor() }))
	pages["broken-load"] = filepath.Join(writeBrokenRun(t, brokenLedger), PageFile)

	for name, page := range pages {
		for _, l := range []look{{1280, false, true}, {1280, true, true}, {390, false, true}, {390, true, true}} {
			theme := map[bool]string{false: "light", true: "dark"}[l.dark]
			t.Run(fmt.Sprintf("%s at %d px %s", name, l.width, theme), func(t *testing.T) {
				b := open(t, browser, page, l)
				b.picture(fmt.Sprintf("%s-%d-%s", name, l.width, theme))
				readable(t, b, l)
				if n := eval[int](b, visibleCells); n != 96 && (name == "passing" || name == "failing") {
					t.Errorf("%d requirements are visible in the matrix, want 96", n)
				}
			})
		}
	}

	t.Run("dark mode has other colours", func(t *testing.T) {
		ground := `getComputedStyle(document.body).backgroundColor`
		light := eval[string](open(t, browser, pages["passing"], look{1280, false, true}), ground)
		dark := eval[string](open(t, browser, pages["passing"], look{1280, true, true}), ground)
		if light == dark {
			t.Errorf("light and dark both have the ground %s", light)
		}
	})

	t.Run("a requirement opens without JavaScript", func(t *testing.T) {
		b := open(t, browser, pages["failing"], look{1280, false, false})
		panel := `document.querySelector('#RTM-PEER-002').parentElement.querySelector('.panel').checkVisibility({contentVisibilityAuto: true})`
		if eval[bool](b, panel) {
			t.Fatal("the panel is open before the click")
		}
		if err := chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS("#RTM-PEER-002"))); err != nil {
			t.Fatal(err)
		}
		if !eval[bool](b, panel) {
			t.Error("the panel stays closed after the click")
		}
		b.picture("failing-open")
		if n := eval[int](b, `document.scripts.length`); n != 0 {
			t.Errorf("the page has %d scripts", n)
		}
	})

	t.Run("paper shows every requirement and no menu", func(t *testing.T) {
		b := open(t, browser, pages["failing"], look{760, true, true})
		paper := chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
			return err
		})
		if err := chromedp.Do(b.ctx, paper); err != nil {
			t.Fatal(err)
		}
		b.picture("failing-paper")
		if n := eval[int](b, `[...document.querySelectorAll('.list .all tbody tr')].filter(e => e.checkVisibility() && e.getBoundingClientRect().height > 0).length`); n != 96 {
			t.Errorf("%d requirements are listed on paper, want 96", n)
		}
		if eval[bool](b, `document.querySelector('nav').checkVisibility()`) {
			t.Error("the menu is printed")
		}
		if ground := eval[string](b, `getComputedStyle(document.body).backgroundColor`); ground != "rgb(255, 255, 255)" {
			t.Errorf("the ground of the paper is %s", ground)
		}
		pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFPrintBackground()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(pdf, []byte("%PDF")) {
			t.Error("printing gives no PDF")
		}
		if *screenshots != "" {
			if err := os.WriteFile(filepath.Join(*screenshots, "failing.pdf"), pdf, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})

	t.Run("a hostile report stays text", func(t *testing.T) {
		b := open(t, browser, written(t, hostileReport()), look{1280, false, true})
		if n := eval[int](b, `document.querySelectorAll('script, img, iframe, b b, [onclick], [onload], [onerror], a[href^="javascript"], a[href*="evil"][href^="http"]').length`); n != 0 {
			t.Errorf("%d elements came out of the report's texts", n)
		}
		if !strings.Contains(eval[string](b, `document.body.innerText`), "<script>") {
			t.Error("the hostile text is not shown as text, so the test proves nothing")
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.requests) != 1 || len(b.console) != 0 {
			t.Errorf("requests %v, console %v", b.requests, b.console)
		}
	})
}
