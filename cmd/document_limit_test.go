package cmd

import (
	"go/ast"
	"go/constant"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pace is how much a limit lets through: so many at once, then one more in each of so long.
type pace struct {
	most int
	each time.Duration
}

// isLimit says whether a literal is a rule of server/limit.
func isLimit(literal *ast.CompositeLit) bool {
	of, ok := literal.Type.(*ast.SelectorExpr)
	if !ok || of.Sel.Name != "Rule" {
		return false
	}
	pkg, ok := of.X.(*ast.Ident)
	return ok && pkg.Name == "limit"
}

// paceOf reads a rule as the code writes it: Name, Most, and Window in units of package time.
func paceOf(rule *ast.CompositeLit) (name string, p pace) {
	var window time.Duration
	for _, element := range rule.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		switch pair.Key.(*ast.Ident).Name {
		case "Name":
			name = constant.StringVal(constantOf(pair.Value))
		case "Most":
			most, _ := constant.Int64Val(constantOf(pair.Value))
			p.most = int(most)
		case "Window":
			n, _ := constant.Int64Val(constantOf(pair.Value))
			window = time.Duration(n)
		}
	}
	if p.most > 0 {
		p.each = window / time.Duration(p.most)
	}
	return name, p
}

// constantOf is the value of a literal, of time.Hour and its kin, and of products of them.
func constantOf(e ast.Expr) constant.Value {
	switch e := e.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(e.Value, e.Kind, 0)
	case *ast.SelectorExpr:
		unit := map[string]time.Duration{"Hour": time.Hour, "Minute": time.Minute, "Second": time.Second}[e.Sel.Name]
		return constant.MakeInt64(int64(unit))
	case *ast.BinaryExpr:
		return constant.BinaryOp(constantOf(e.X), token.MUL, constantOf(e.Y))
	}
	return constant.MakeInt64(0)
}

// limitRow is a row of the table of limits: the name, how many at once, and how long for one more.
var limitRow = regexp.MustCompile("(?m)^\\| [^|]+ \\| `([a-z-]+)` \\| (\\d+) \\| ([0-9.]+) (s|min) \\|")

func TestEachLimitIsInTheTableAsItIs(t *testing.T) {
	t.Parallel()
	limits := sourceOf(t).limits
	_, table, _ := strings.Cut(string(readRepository(t, "docs/security.md")), "\n## Limits\n")
	seen := map[string]bool{}
	for _, row := range limitRow.FindAllStringSubmatch(table, -1) {
		seen[row[1]] = true
		most, err := strconv.Atoi(row[2])
		if err != nil {
			t.Fatal(err)
		}
		each, err := time.ParseDuration(row[3] + strings.TrimSuffix(row[4], "in"))
		if err != nil {
			t.Fatal(err)
		}
		if got := limits[row[1]]; got != (pace{most, each}) {
			t.Errorf("docs/security.md says of %s: %d at once, then one more in %v; the code has %d and %v",
				row[1], most, each, got.most, got.each)
		}
	}
	for name := range limits {
		if !seen[name] {
			t.Errorf("docs/security.md does not have the limit %s", name)
		}
	}
	if len(seen) < 25 {
		t.Errorf("%d limits, want all of them", len(seen))
	}
}
