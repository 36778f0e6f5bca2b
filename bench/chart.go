package bench

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// chart is a line chart as inline SVG. Colours come from the page's style by class, so that it follows light and dark.
type chart struct {
	title string
	x     axis
	y     axis
	lines []curveLine
}

// curveLine is one line of a chart.
type curveLine struct {
	name  string // in the legend; "" is in none
	class string // colour: c1 to c6
	dash  int    // 0: solid
	faint bool
	x, y  []float64
}

// axis maps values to places and knows where its marks are.
type axis struct {
	name     string
	log      bool // values of 0 and less are left out
	binary   bool // marks are powers of two, or stand that far apart
	low      float64
	high     float64
	marks    []mark
	fromZero bool
	seconds  bool // ends where the values end, and marks are whole numbers
}

type mark struct {
	at   float64
	text string
}

// Measures of a chart in its own units, and margins for the marks' texts.
const (
	chartWide, chartHigh        = 640, 300
	marginLeft, marginRight     = 74, 16
	marginTop, marginBottom     = 10, 44
	plotWide, plotHigh          = chartWide - marginLeft - marginRight, chartHigh - marginTop - marginBottom
	plotRight, plotBottom       = chartWide - marginRight, chartHigh - marginBottom
	marksWanted                 = 5
	dashPattern, dashPatternTwo = "7 4", "2 3"
)

// place is where a value lies, from 0 to 1.
func (a *axis) place(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		v, low, high = math.Log10(v), math.Log10(low), math.Log10(high)
	}
	return min(max((v-low)/(high-low), 0), 1)
}

// fit makes a linear or logarithmic axis span the values and sets its marks.
func (a *axis) fit(values []float64, text func(float64) string) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if a.log && v <= 0 {
			continue
		}
		low, high = min(low, v), max(high, v)
	}
	if low > high {
		low, high = 1, 2
	}
	if a.log {
		a.fitLog(low, high, text)
		return
	}
	if a.fromZero {
		low = 0
	}
	if high <= low {
		high = low + 1
	}
	step := niceStep((high - low) / marksWanted)
	switch {
	case a.seconds:
		step = max(step, 1)
	case a.binary:
		step = math.Pow(2, math.Ceil(math.Log2((high-low)/marksWanted)))
	}
	first, last := math.Floor(low/step), math.Ceil(high/step)
	a.low, a.high = first*step, last*step
	if a.seconds {
		a.low, a.high = low, high
	}
	for i := 0.0; i <= 2*marksWanted && first+i <= last; i++ {
		if v := (first + i) * step; v >= a.low && v <= a.high {
			a.marks = append(a.marks, mark{v, short(text(v))})
		}
	}
}

// short leaves out decimals that are all 0.
func short(s string) string {
	number, unit, _ := strings.Cut(s, " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return strings.TrimSpace(number + " " + unit)
}

// fitLog spans whole steps of 1, 2, 5, or powers of two, and marks all of them, or every third where there are many.
func (a *axis) fitLog(low, high float64, text func(float64) string) {
	base, factors := 10.0, []float64{1, 2, 5}
	if a.binary {
		base, factors = 8, []float64{1, 2, 4}
	}
	var steps []float64
	for e := math.Floor(math.Log(low)/math.Log(base)) - 1; e <= math.Ceil(math.Log(high)/math.Log(base))+1; e++ {
		for _, f := range factors {
			steps = append(steps, f*math.Pow(base, e))
		}
	}
	first, last := 0, len(steps)-1
	for first+1 < len(steps) && steps[first+1] <= low*1.0001 {
		first++
	}
	for last > first+1 && steps[last-1] >= high*0.9999 {
		last--
	}
	a.low, a.high = steps[first], steps[last]
	for i := first; i <= last; i++ {
		if last-first <= 10 || i%3 == 0 {
			a.marks = append(a.marks, mark{steps[i], short(text(steps[i]))})
		}
	}
}

// niceStep is the next of 1, 2, 5 times a power of ten.
func niceStep(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if v <= f*p*1.0001 {
			return f * p
		}
	}
	return 10 * p
}

// svg draws the chart.
func (c *chart) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, chartWide, chartHigh, html.EscapeString(c.title))
	for _, m := range c.y.marks {
		y := plotBottom - c.y.place(m.at)*plotHigh
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, marginLeft, plotRight, y, y)
		fmt.Fprintf(&b, `<text class="mark" x="%d" y="%.1f" text-anchor="end">%s</text>`, marginLeft-8, y+4, html.EscapeString(m.text))
	}
	for _, m := range c.x.marks {
		x := marginLeft + c.x.place(m.at)*plotWide
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, x, x, marginTop, plotBottom)
		fmt.Fprintf(&b, `<text class="mark" x="%.1f" y="%d" text-anchor="middle">%s</text>`, x, plotBottom+17, html.EscapeString(m.text))
	}
	fmt.Fprintf(&b, `<text class="mark" x="%d" y="%d" text-anchor="middle">%s</text>`, marginLeft+plotWide/2, chartHigh-6, html.EscapeString(c.x.name))
	fmt.Fprintf(&b, `<line class="axis" x1="%d" x2="%d" y1="%d" y2="%d"/>`, marginLeft, plotRight, plotBottom, plotBottom)
	for i := range c.lines {
		c.path(&b, &c.lines[i])
	}
	b.WriteString("</svg>")
	return b.String()
}

// path draws one line; a line of one value is a dot.
func (c *chart) path(b *strings.Builder, l *curveLine) {
	var d strings.Builder
	points := 0
	x, y := 0.0, 0.0
	for _, i := range thinned(l.y) {
		if c.y.log && l.y[i] <= 0 {
			continue
		}
		x, y = marginLeft+c.x.place(l.x[i])*plotWide, plotBottom-c.y.place(l.y[i])*plotHigh
		fmt.Fprintf(&d, "%s%.1f %.1f", []string{"M", "L"}[min(points, 1)], x, y)
		points++
	}
	class := l.class
	if l.faint {
		class += " faint"
	}
	if points == 1 {
		fmt.Fprintf(b, `<circle class="dot %s" cx="%.1f" cy="%.1f" r="3"/>`, class, x, y)
		return
	}
	if points == 0 {
		return
	}
	fmt.Fprintf(b, `<path class="%s" d="%s"%s/>`, class, d.String(), dashAttribute(l.dash))
}

// drawnPoints is about how many points of a line are drawn; more cannot be seen apart.
const drawnPoints = 640

// thinned chooses which values of a long line are drawn: the lowest and the highest of every stretch, so that no peak is lost.
func thinned(y []float64) (keep []int) {
	stretch := (2*len(y) + drawnPoints - 1) / drawnPoints
	if stretch < 3 {
		stretch = 1
	}
	for from := 0; from < len(y); from += stretch {
		low, high := from, from
		for i := from; i < min(from+stretch, len(y)); i++ {
			if y[i] < y[low] {
				low = i
			}
			if y[i] > y[high] {
				high = i
			}
		}
		keep = append(keep, min(low, high))
		if low != high {
			keep = append(keep, max(low, high))
		}
	}
	return keep
}

func dashAttribute(dash int) string {
	switch dash {
	case 0:
		return ""
	case 1:
		return ` stroke-dasharray="` + dashPattern + `"`
	}
	return ` stroke-dasharray="` + dashPatternTwo + `"`
}

// legend names the lines, with a piece of each.
func (c *chart) legend() string {
	var b strings.Builder
	for _, l := range c.lines {
		if l.name == "" {
			continue
		}
		fmt.Fprintf(&b, `<span><svg class="key" viewBox="0 0 26 10" aria-hidden="true"><path class="%s" d="M1 5L25 5"%s/></svg>%s</span>`,
			l.class, dashAttribute(l.dash), html.EscapeString(l.name))
	}
	return b.String()
}
