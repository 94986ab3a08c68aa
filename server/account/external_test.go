package account

import (
	"strings"
	"testing"

	"authy/server/fault"
	"authy/storage"
)

func TestWhatBecomesOfWhoComesFromAProvider(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		met  met
		want Way
	}{
		"known":                             {met{known: true}, Enter},
		"known, whoever has the address":    {met{known: true, taken: true, trusted: true}, Enter},
		"trusted about an address":          {met{taken: true, verified: true, trusted: true}, Adopt},
		"verified is not trusted":           {met{taken: true, verified: true}, Claim},
		"not verified":                      {met{taken: true}, Claim},
		"taken, where all may register":     {met{taken: true, open: true, policy: policyOpen}, Claim},
		"new, open server":                  {met{open: true}, Offer},
		"new, closed server":                {met{}, Closed},
		"new, open provider":                {met{policy: policyOpen}, Offer},
		"new, closed provider":              {met{policy: "off", open: true}, Closed},
		"a policy that is none":             {met{policy: "odd", open: true}, Closed},
		"invited":                           {met{policy: policyInvited, invited: true, verified: true}, Offer},
		"invited at an address of others":   {met{policy: policyInvited, invited: true}, Closed},
		"not invited":                       {met{policy: policyInvited, verified: true, open: true}, Closed},
		"in its domains":                    {met{policy: policyDomains, verified: true, trusted: true}, Make},
		"outside its domains":               {met{policy: policyDomains, verified: true, open: true}, Closed},
		"uniform, not verified, nobody":     {met{uniform: true, open: true}, Claim},
		"uniform, not verified, taken":      {met{uniform: true, open: true, taken: true}, Claim},
		"uniform, verified":                 {met{uniform: true, open: true, verified: true}, Offer},
		"organization's, in its domains":    {met{own: true, verified: true, trusted: true}, Make},
		"organization's, outside":           {met{own: true, open: true}, Claim},
		"organization's, outside and taken": {met{own: true, open: true, taken: true}, Claim},
	} {
		if got := c.met.Way(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestWhatAProviderSaysIsKeptAsFarAsItIsWorth(t *testing.T) {
	t.Parallel()
	server, own := &storage.Provider{}, &storage.Provider{OrganizationID: "org"}
	base := Said{Issuer: "https://id.example", Subject: "1", Email: " Pat@Example.com ", Name: " Pat "}
	for name, c := range map[string]struct {
		provider           *storage.Provider
		email              string
		verified, believed bool
		want               string // address, verified and trusted
	}{
		"said":                   {server, base.Email, false, true, "pat@example.com"},
		"checked":                {server, base.Email, true, false, "pat@example.com v"},
		"checked and believed":   {server, base.Email, true, true, "pat@example.com v t"},
		"no address":             {server, "", true, true, ""},
		"not an address":         {server, "pat", true, true, ""},
		"of a look-alike domain": {server, "pat@exаmple.com", true, true, ""},
		"organization's, not":    {own, base.Email, true, false, "pat@example.com"},
		"organization's":         {own, base.Email, true, true, "pat@example.com v t"},
		"organization's, unsaid": {own, base.Email, false, true, "pat@example.com"},
	} {
		in := base
		in.Provider, in.Email = c.provider, c.email
		said, err := Listen(in, c.verified, c.believed)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := said.Email
		if said.Verified {
			got += " v"
		}
		if said.Trusted {
			got += " t"
		}
		if got != c.want || said.Name != "Pat" {
			t.Errorf("%s: %q as %q, want %q", name, got, said.Name, c.want)
		}
	}
	for name, in := range map[string]Said{
		"no issuer":      {Subject: "1"},
		"no subject":     {Issuer: "x"},
		"a long subject": {Issuer: "x", Subject: strings.Repeat("x", maxSubject+1)},
		"a null byte":    {Issuer: "x", Subject: "\x00"},
	} {
		in.Provider = server
		if _, err := Listen(in, true, true); err == nil {
			t.Errorf("%s is kept", name)
		} else if f, told := fault.As(err); !told || f.Code != "no_subject" {
			t.Errorf("%s: %v, want no_subject", name, err)
		}
	}
	odd := base
	odd.Provider, odd.Name, odd.Picture = server, "a\nb", "javascript:alert(1)"
	if said, err := Listen(odd, true, true); err != nil || said.Name != "" || said.Picture != "" {
		t.Errorf("what is no name and no picture is kept: %+v, %v", said, err)
	}
}
