package web

import (
	"fmt"
	"strings"
)

// chartView is a chart of so many bars, with the same numbers as a table beneath: the data of part
// "chart".
type chartView struct {
	ID, Title string
	Summary   string // what there is to see, in a sentence, for who sees no drawing
	Empty     bool   // nothing has happened
	Most      string // what the highest bar stands for
	First     string // what the first and the last bar are of
	Last      string
	Series    []seriesView
	Rows      []chartRow
}

// seriesView is a series of bars, drawn as one path.
type seriesView struct {
	Name, Class string
	Path        string
}

// chartRow is a line of the table: what the bars above are of, and their numbers.
type chartRow struct {
	Name   string
	Values []string
}

// The measures of a drawing, whose bars lie side by side. It is stretched to the room that it has.
const (
	chartHeight = 100
	barWidth    = 8
	barStep     = 10
)

// Width is the width of the drawing.
func (c chartView) Width() int { return len(c.Rows) * barStep }

// series is a name and a number for each bar.
type series struct {
	name, class string
	values      []int64
}

// drawChart draws series above each other; names are those of the bars.
func drawChart(id, title string, names []string, all []series) chartView {
	c := chartView{ID: id, Title: title}
	sums := make([]int64, len(names))
	var most int64
	for i := range names {
		for _, s := range all {
			sums[i] += s.values[i]
		}
		most = max(most, sums[i])
	}
	if c.Empty = most == 0; c.Empty {
		return c
	}
	below := make([]int64, len(names))
	for _, s := range all {
		c.Series = append(c.Series, seriesView{s.name, s.class, bars(s.values, below, most)})
		for i, n := range s.values {
			below[i] += n
		}
	}
	for i, name := range names {
		row := chartRow{Name: name}
		for _, s := range all {
			row.Values = append(row.Values, fmt.Sprint(s.values[i]))
		}
		c.Rows = append(c.Rows, row)
	}
	c.Most, c.First, c.Last = fmt.Sprint(most), names[0], names[len(names)-1]
	return c
}

// bars are the bars of a series as a path: each stands on what is below it.
func bars(values, below []int64, most int64) string {
	var path strings.Builder
	for i, n := range values {
		if n == 0 {
			continue
		}
		bottom := chartHeight - height(below[i], most)
		top := chartHeight - height(below[i]+n, most)
		fmt.Fprintf(&path, "M%d %.1fV%.1fh%dV%.1fz", i*barStep+(barStep-barWidth)/2, bottom, top, barWidth, bottom)
	}
	return path.String()
}

// height is how high a bar is; one that is there at all can be seen.
func height(n, most int64) float64 {
	if n == 0 {
		return 0
	}
	return max(float64(n)*chartHeight/float64(most), 1.5)
}

// meterView is a part of a whole, drawn as a line: the data of part "meter".
type meterView struct {
	Name, Text string
	Percent    int
	Drawn      bool // the whole is known
}

// percent is a part in percent of a whole; one that is there at all can be seen.
func percent(part, whole int64) int {
	if part <= 0 || whole <= 0 {
		return 0
	}
	return int(min(max(part*100/whole, 1), 100))
}
