package servertest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/openid"
	"authy/server/org"
	"authy/server/registry"
	"authy/server/servertest"
)

// The explanation of who may use a client agrees with what the tokens are good for,
// whatever keeps a user out.
func TestTheVerdictIsWhatTokensAreGoodBy(t *testing.T) {
	t.Parallel()
	for rule, change := range map[string]func(t *testing.T, s *servertest.Server, client string) error{
		"everyone": func(t *testing.T, s *servertest.Server, client string) error { return allow(t, s, client, "everyone") },
		"organization": func(t *testing.T, s *servertest.Server, client string) error {
			return allow(t, s, client, "organization")
		},
		"role:member": func(t *testing.T, s *servertest.Server, client string) error {
			return allow(t, s, client, "role:member")
		},
		"not_allowed": func(t *testing.T, s *servertest.Server, client string) error {
			return allow(t, s, client, "role:owner")
		},
		"client_disabled": func(t *testing.T, s *servertest.Server, client string) error {
			return setEnabled(t, s, client, false)
		},
		"organization_disabled": func(t *testing.T, s *servertest.Server, _ string) error {
			home, err := s.Orgs.BySlug(t.Context(), "acme-corp")
			if err != nil {
				return err
			}
			off := false
			_, err = s.Orgs.Update(t.Context(), audit.Shell(), home.ID, org.Change{Active: &off})
			return err
		},
		"user_suspended": func(t *testing.T, s *servertest.Server, _ string) error {
			return s.Accounts.Suspend(t.Context(), audit.Shell(), userID(t, s, bob))
		},
		"second_factor_owed": func(t *testing.T, s *servertest.Server, _ string) error {
			ask, _ := demand(t, s, "strict")
			ask("require_totp", 0)
			return nil
		},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t)
			token := acmePortal.tokens(t, s, servertest.Browser(t)).Access
			if err := change(t, s, acmePortal.id); err != nil {
				t.Fatal(err)
			}
			verdict, err := s.OpenID.ExplainAccess(t.Context(), audit.Shell(), userID(t, s, bob), acmePortal.id)
			if err != nil || verdict.Rule != rule || verdict.Text == "" {
				t.Errorf("ExplainAccess() = %+v, %v, want %s", verdict, err, rule)
			}
			if good := userinfo(t, s, token).status == http.StatusOK; good != verdict.Allowed {
				t.Errorf("the token is good: %v, the verdict is %+v", good, verdict)
			}
		})
	}
}

func allow(t *testing.T, s *servertest.Server, clientID string, who ...string) error {
	t.Helper()
	_, err := s.Clients.Update(t.Context(), audit.Shell(), "", clientID, func(in *registry.Registration) { in.Allowed = who })
	return err
}

// What is explained is what is issued, but for what is made anew each time.
func TestExplainedClaimsAreThoseThatAreIssued(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	saysEverything(t, s)
	got := acmePortal.tokens(t, s, servertest.Browser(t))
	explained, err := s.OpenID.ExplainClaims(t.Context(), audit.Shell(), userID(t, s, bob), acmePortal.id, allScopes)
	if err != nil {
		t.Fatal(err)
	}
	_, id := claimsOf(t, got.ID)
	_, access := claimsOf(t, got.Access)
	for name, c := range map[string]struct {
		want map[string]any
		got  json.RawMessage
	}{
		"ID token": {id, explained.IDToken}, "access token": {access, explained.AccessToken},
		"userinfo": {userinfo(t, s, got.Access).fields, explained.Userinfo},
	} {
		var said map[string]any
		if err := json.Unmarshal(c.got, &said); err != nil {
			t.Fatal(err)
		}
		for _, anew := range []string{"iat", "exp", "auth_time", "jti", "at_hash", "nonce", "sid", "grant_id"} {
			if _, has := c.want[anew]; has && anew != "nonce" && said[anew] == nil {
				t.Errorf("%s: there is no %s", name, anew)
			}
			delete(c.want, anew)
			delete(said, anew)
		}
		if diff := cmp.Diff(c.want, said); diff != "" {
			t.Errorf("%s (-issued +explained):\n%s", name, diff)
		}
	}
}

func TestExplainingKeepsToWhatAClientMayAskFor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	ctx, shell, id := t.Context(), audit.Shell(), userID(t, s, bob)
	narrow, err := s.OpenID.ExplainClaims(ctx, shell, id, acmePortal.id, "email nothing")
	if err != nil || narrow.IDToken != nil || narrow.Userinfo != nil || !strings.Contains(string(narrow.AccessToken), `"scope":"email"`) {
		t.Errorf("without openid: %+v, %v", narrow, err)
	}
	if _, err := s.OpenID.ExplainClaims(ctx, shell, id, acmePortal.id, "nothing"); err == nil || !strings.Contains(err.Error(), "scope") {
		t.Errorf("nothing that it may have: %v", err)
	}
	for _, by := range []audit.Actor{{}, shell.As(id), audit.Server()} {
		if _, err := s.OpenID.ExplainClaims(ctx, by, id, acmePortal.id, ""); !errors.Is(err, openid.ErrForbidden) {
			t.Errorf("%s explains claims: %v", by.Kind, err)
		}
		if _, err := s.OpenID.ExplainAccess(ctx, by, id, acmePortal.id); !errors.Is(err, openid.ErrForbidden) {
			t.Errorf("%s explains access: %v", by.Kind, err)
		}
	}
	if _, err := s.OpenID.ExplainAccess(ctx, shell, "nobody", acmePortal.id); !errors.Is(err, openid.ErrNoUser) {
		t.Errorf("of nobody: %v", err)
	}
	if _, err := s.OpenID.ExplainAccess(ctx, shell, id, "nothing-here"); !errors.Is(err, registry.ErrNoClient) {
		t.Errorf("to nothing: %v", err)
	}
}
