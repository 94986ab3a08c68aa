package upstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"authy/server/keyset"
	"authy/server/provider"
	"authy/storage"
)

const (
	// personalTenant is that of all personal accounts.
	personalTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"
	// tenantTemplate stands for the tenant in the issuer of metadata for many.
	tenantTemplate = "{tenantid}"
)

var guid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// microsoft is Microsoft Entra ID and the personal accounts of Microsoft: many
// issuers behind one authority. Whoever administers a tenant writes what they like into the
// address of an account there, so that it says nothing of itself.
type microsoft struct{ plain }

func (microsoft) authority(p *storage.Provider) string { return strings.TrimSuffix(p.Issuer, "/") }

// owns: the metadata of common and organizations has a template as its issuer, and
// that of consumers or of a tenant's domain the id of the tenant. A tenant that was named by its
// id has that issuer.
func (microsoft) owns(authority, issuer string) bool {
	named, tenant := tenantOf(authority), tenantOf(issuer)
	if tenant == "" || strings.Replace(authority, "/"+named+"/", "/"+tenant+"/", 1) != issuer {
		return false
	}
	switch {
	case guid.MatchString(named):
		return tenant == named
	case named == "consumers":
		return tenant == personalTenant
	case named == "common" || named == "organizations":
		return tenant == tenantTemplate
	}
	return guid.MatchString(tenant)
}

// tenantOf returns the tenant in an authority or issuer, "" if it is none of Microsoft's.
func tenantOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	tenant, is := strings.CutSuffix(strings.TrimPrefix(u.Path, "/"), "/v2.0")
	if !is || strings.Contains(tenant, "/") {
		return ""
	}
	return tenant
}

func (microsoft) answers(m *metadata, iss string) bool {
	tenant := tenantOf(iss)
	return iss == strings.Replace(m.Issuer, tenantTemplate, tenant, 1) && guid.MatchString(tenant)
}

// issuer: that of the tenant that the token names.
func (m microsoft) issuer(of *metadata, claims keyset.Claims) (string, error) {
	iss, err := claims.Text("iss")
	if err != nil || !m.answers(of, iss) || text(claims, "tid") != tenantOf(iss) {
		return "", fmt.Errorf("iss is %.200q, tid %.64q", iss, text(claims, "tid"))
	}
	return iss, nil
}

// lacks: userinfo knows no more than the ID token, and is another service's.
func (microsoft) lacks(*storage.Provider, keyset.Claims) bool { return false }

// state: a person is the object in the tenant, of whichever application. An address is
// verified only if Microsoft says that the owner of its domain is
// (xms_edov): what email_verified, upn or preferred_username say counts for nothing.
func (m microsoft) state(p *storage.Provider, claims keyset.Claims, s *provider.Statement) error {
	tenant, object := text(claims, "tid"), text(claims, "oid")
	if !admits(p, m.authority(p), tenant) {
		return &provider.Refusal{
			Kind: provider.Denied, Reason: "tenant_not_allowed", Err: fmt.Errorf("tenant %s", tenant),
			Text: "Accounts of your organization cannot be used here. Use another account.",
		}
	}
	if !guid.MatchString(object) {
		return provider.Refuse(provider.Misconfigured, "no_object_id", errors.New("oid is missing; the scope profile brings it"))
	}
	s.Subject = tenant + "." + object
	s.EmailVerified = s.Email != "" && isVouchedFor(claims["xms_edov"])
	if p.Options.Groups != "" && find(claims, p.Options.Groups) == nil && isOverage(claims) {
		return tooManyGroups(errors.New("the groups are not in the token"))
	}
	return nil
}

// admits says whether people of a tenant may come.
func admits(p *storage.Provider, authority, tenant string) bool {
	if tenantOf(authority) == "organizations" && tenant == personalTenant {
		return false
	}
	is := func(allowed string) bool { return strings.EqualFold(allowed, tenant) }
	return len(p.Options.Tenants) == 0 || slices.ContainsFunc(p.Options.Tenants, is)
}

// isVouchedFor reads xms_edov, which is a boolean by the documentation and came as 1
// and as a text.
func isVouchedFor(raw json.RawMessage) bool {
	return isTrue(raw) || slices.Contains([]string{`1`, `"1"`}, string(raw))
}

// isOverage says whether a person has so many groups that the token only says
// where to ask for them.
func isOverage(claims keyset.Claims) bool {
	return claims["_claim_names"] != nil || isTrue(claims["hasgroups"])
}
