package servertest_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"authy/server/audit"
	"authy/server/provider"
	"authy/server/saml2"
	"authy/server/servertest"
	"authy/storage"
)

func TestTheMetadataOfTheServiceProviderIsServed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	page := servertest.Get(t, servertest.Browser(t), s.URL+saml2.SPMetadataPath)
	if page.Response.StatusCode != http.StatusOK || page.Response.Header.Get("Content-Type") != "application/samlmetadata+xml" ||
		!strings.Contains(page.Body, `entityID="`+s.URL+saml2.SPMetadataPath+`"`) || strings.Contains(page.Body, "PRIVATE") {
		t.Errorf("%d, %v: %s", page.Response.StatusCode, page.Response.Header, page.Body)
	}
}

func TestWhatIsNoMessageIsRefusedWithAPage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const canary = "a-canary-that-nobody-repeats"
	coded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for what, value := range map[string]string{
		"nothing": "", "no base64": "<" + canary + ">", "no XML": coded(canary), "another document": coded("<a>" + canary + "</a>"),
		"SA-05 a document type": coded(`<!DOCTYPE a SYSTEM "file:///etc/passwd"><a>` + canary + `</a>`),
		"SA-01 an unsigned response": coded(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ` +
			`xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="x" Version="2.0"><saml:Issuer>` + canary + `</saml:Issuer></samlp:Response>`),
	} {
		for _, path := range []string{saml2.ACSPath, saml2.SPLogoutPath} {
			browser := servertest.Browser(t)
			for _, state := range []string{"", "//evil.example", "javascript:alert(1)", strings.Repeat("x", 10<<10)} {
				form := url.Values{"SAMLResponse": {value}}
				if state != "" {
					form.Set("RelayState", state)
				}
				page := servertest.Post(t, browser, s.URL+path, form)
				if page.Response.StatusCode != http.StatusBadRequest || page.Location() != nil ||
					strings.Contains(page.Body, canary) || state != "" && strings.Contains(page.Body, state) {
					t.Errorf("SA-18 %s to %s with state %.30q: %d to %v: %s", what, path, state,
						page.Response.StatusCode, page.Location(), page.Body)
				}
			}
			if page := servertest.Get(t, browser, s.URL+"/account"); page.Location() == nil {
				t.Errorf("%s to %s: somebody is signed in", what, path)
			}
		}
	}
	rows, err := s.DB.EventsMatching(t.Context(), storage.EventFilter{Action: "saml.logout"}, storage.EventKey{}, 100)
	if err != nil || len(rows) == 0 || rows[0].Outcome != audit.Failure || rows[0].Reason == "" {
		t.Errorf("the refusals are recorded as %+v, %v", rows, err)
	}
}

func TestASAMLProviderIsAddedOnlyWithMetadataThatCanBeUsed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, metadata := range []string{"<a/>", "nonsense", `<!DOCTYPE a><a/>`} {
		_, err := s.Providers.Create(t.Context(), audit.Shell(), provider.Description{
			Kind: provider.SAML, Slug: "bad", Name: "Bad", Options: storage.ProviderOptions{Metadata: metadata},
		})
		if err == nil || !strings.Contains(err.Error(), "metadata") {
			t.Errorf("SA-19 %s: %v, want refused by the field metadata", metadata, err)
		}
	}
}
