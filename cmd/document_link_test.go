package cmd

import (
	"bytes"
	"image"
	_ "image/png" // which pictures are
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
)

// anchors are the names that GitHub gives to the headings of a page.
func (d document) anchors() map[string]bool {
	found := map[string]bool{}
	for _, one := range heading.FindAllStringSubmatch(d.prose(), -1) {
		var name strings.Builder
		for _, c := range strings.ToLower(one[1]) {
			switch {
			case c == ' ':
				name.WriteByte('-')
			case c == '-', c == '_', unicode.IsLetter(c), unicode.IsDigit(c):
				name.WriteRune(c)
			}
		}
		found[name.String()] = true
	}
	return found
}

// links returns where a page leads within the repository: the path from the root, and the anchor.
func (d document) links() (found [][2]string) {
	for _, one := range link.FindAllStringSubmatch(span.ReplaceAllString(d.prose(), ""), -1) {
		if strings.Contains(one[1], "://") || strings.HasPrefix(one[1], "mailto:") {
			continue
		}
		to, anchor, _ := strings.Cut(one[1], "#")
		if to == "" {
			to = path.Base(d.path)
		}
		found = append(found, [2]string{path.Join(path.Dir(d.path), to), anchor})
	}
	return found
}

func TestEachLinkOfADocumentLeadsSomewhere(t *testing.T) {
	t.Parallel()
	pages := map[string]document{}
	for _, d := range documents(t) {
		pages[d.path] = d
	}
	seen := 0
	for _, d := range pages {
		for _, to := range d.links() {
			seen++
			if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(to[0]))); err != nil {
				t.Errorf("%s leads to %s: %v", d.path, to[0], err)
				continue
			}
			if to[1] != "" && !pages[to[0]].anchors()[to[1]] {
				t.Errorf("%s leads to #%s of %s, which has no such heading", d.path, to[1], to[0])
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d links, want many", seen)
	}
	for missed := range unreached(pages) {
		t.Errorf("no way leads from README.md to %s", missed)
	}
}

// imageLink is a picture in a page: what it shows, in words, and where it is.
var imageLink = regexp.MustCompile(`!\[([^\]]*)\]\(([^)\s]+)\)`)

func TestEachPictureIsSmallAndSaidInWords(t *testing.T) {
	t.Parallel()
	const most = 150_000
	seen := 0
	for _, d := range documents(t) {
		for _, found := range imageLink.FindAllStringSubmatch(d.prose(), -1) {
			seen++
			content := readRepository(t, path.Join(path.Dir(d.path), found[2]))
			if _, format, err := image.DecodeConfig(bytes.NewReader(content)); err != nil || format != "png" {
				t.Errorf("%s: %s is a picture of the kind %q, %v, want png", d.path, found[2], format, err)
			}
			if len(content) > most || len(found[1]) < 20 {
				t.Errorf("%s: %s has %d bytes and the words %q; want %d at most, and what it shows",
					d.path, found[2], len(content), found[1], most)
			}
		}
	}
	if seen < 2 {
		t.Errorf("%d pictures, want those of README.md", seen)
	}
}

// unreached are the pages that nobody comes to who follows links from README.md. A link to a
// directory is one to its README.md.
func unreached(pages map[string]document) map[string]bool {
	left := map[string]bool{}
	for p := range pages {
		left[p] = true
	}
	for next := []string{"README.md"}; len(next) > 0; next = next[1:] {
		p := next[0]
		if _, ok := pages[p]; !ok {
			p = path.Join(p, "README.md")
		}
		if left[p] {
			delete(left, p)
			for _, to := range pages[p].links() {
				next = append(next, to[0])
			}
		}
	}
	return left
}
