package registry

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatChangedOfAClientIsReadable(t *testing.T) {
	t.Parallel()
	long, short := Seconds(315_360_000), Seconds(0)
	before, now := Defaults(), Defaults()
	before.Options = Options{SoftwareID: "id", Contacts: []string{"ops@a.example"}, DefaultMaxAge: &long, PushedRequest: true}
	now.Scopes = []string{"openid", "api"}
	now.Options = Options{
		JWKS: `{"keys":[]}`, RequestURIs: []string{"https://a.example/1", "https://a.example/2"}, DPoPTokens: true,
		DefaultMaxAge: &short, CodeLifetime: 300, Contacts: []string{"ops@a.example"}, SoftwareVersion: `"1" é`,
	}
	want := map[string]string{
		"scopes": "openid api", "jwks": `{"keys":[]}`, "request_uris": "https://a.example/1 https://a.example/2",
		"dpop_tokens": "true", "default_max_age": "0", "code_lifetime": "300", "software_version": `"1" é`,
		"software_id": "", "pushed_request": "",
	}
	if diff := cmp.Diff(want, differences(before, now)); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	if got := differences(now, before)["default_max_age"]; got != "315360000" {
		t.Errorf("default_max_age of ten years: %s, want 315360000", got)
	}
}
