package audit_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"authy/server/audit"
)

func TestAPatternIsForActions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, action string
		want            bool
	}{
		{"*", "user.login", true},
		{"user.*", "user.login", true},
		{"user.*", "user.password.changed", true},
		{"user.*", "userx.login", false},
		{"user.*", "user", false},
		{"user.login", "user.login", true},
		{"user.login", "user.login.failed", false},
		{"totp.verify.*", "totp.verify.failed", true},
		{"", "user.login", false},
	} {
		if got := audit.Matches(c.pattern, c.action); got != c.want {
			t.Errorf("Matches(%s, %s) = %v", c.pattern, c.action, got)
		}
	}
}

func TestActionsAreInOrderAndSaidInWords(t *testing.T) {
	t.Parallel()
	if !slices.IsSortedFunc(audit.Actions, func(a, b audit.Action) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("they are not in order")
	}
	name := regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)+$`)
	for i, a := range audit.Actions {
		if !name.MatchString(a.Name) || a.Meaning == "" || i > 0 && a.Name == audit.Actions[i-1].Name {
			t.Errorf("%+v: odd, or there twice", a)
		}
	}
	for pattern, want := range map[string]bool{"user.login": true, "user.*": true, "*": true, "user.lgin": false, "usr.*": false} {
		if audit.IsRecorded(pattern) != want {
			t.Errorf("IsRecorded(%s) = %v", pattern, !want)
		}
	}
}
