package saml2

import (
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"authy/server/provider"
)

func TestAnAnswerIsHeldToWhatWasAsked(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	ago := func(d time.Duration) string { return written(time.Now().Add(-d)) }
	set := func(path, name, value string) func(draft) {
		return func(d draft) { d.part(path).CreateAttr(name, value) }
	}
	without := func(path, name string) func(draft) {
		return func(d draft) { d.part(path).RemoveAttr(name) }
	}
	audience := func(value string) func(draft) {
		return func(d draft) { d.part("Conditions/AudienceRestriction/Audience").SetText(value) }
	}
	const data = "Subject/SubjectConfirmation/SubjectConfirmationData"
	acs := ownURL + ACSPath
	for _, c := range []struct {
		what, want string
		change     func(d draft)
	}{
		{"SA-09 no InResponseTo", "wrong_request", func(d draft) { d.response.RemoveAttr("InResponseTo") }},
		{"SA-09 none in the assertion", "wrong_request", without(data, "InResponseTo")},
		{"SA-09 another request", "wrong_request", func(d draft) { d.response.CreateAttr("InResponseTo", newID()) }},
		{"SA-09 another one in the assertion", "wrong_request", set(data, "InResponseTo", newID())},
		{"SA-11 another audience", "wrong_audience", audience("https://other.example/saml/sp/metadata")},
		{"SA-11 the audience with a slash", "wrong_audience", audience(s.sp.EntityID() + "/")},
		{"SA-11 the audience in another case", "wrong_audience", audience(strings.ToUpper(s.sp.EntityID()))},
		{"SA-11 no restriction", "wrong_audience", func(d draft) {
			d.part("Conditions").RemoveChild(d.part("Conditions/AudienceRestriction"))
		}},
		{"SA-11 a second restriction to somebody else", "wrong_audience", func(d draft) {
			child(child(d.part("Conditions"), "saml:AudienceRestriction", ""), "saml:Audience", "https://other.example")
		}},
		{"SA-11 no conditions", "wrong_audience", func(d draft) { d.assertion.RemoveChild(d.part("Conditions")) }},
		{"SA-11 another recipient", "wrong_recipient", set(data, "Recipient", "https://other.example/acs")},
		{"SA-11 the recipient with a slash", "wrong_recipient", set(data, "Recipient", acs+"/")},
		{"SA-11 the recipient by http", "wrong_recipient", set(data, "Recipient", strings.Replace(acs, "https", "http", 1))},
		{"SA-11 no recipient", "wrong_recipient", without(data, "Recipient")},
		{"SA-11 another destination", "wrong_destination", func(d draft) { d.response.CreateAttr("Destination", "https://other.example/acs") }},
		{"SA-12 the confirmation has ended", "wrong_time", set(data, "NotOnOrAfter", ago(skew+5*time.Second))},
		{"SA-12 the confirmation never ends", "wrong_time", without(data, "NotOnOrAfter")},
		{"SA-12 the conditions have ended", "wrong_time", set("Conditions", "NotOnOrAfter", ago(skew+5*time.Second))},
		{"SA-12 the conditions have not begun", "wrong_time", set("Conditions", "NotBefore", ago(-skew-5*time.Second))},
		{"SA-12 the session has ended", "wrong_time", set("AuthnStatement", "SessionNotOnOrAfter", ago(skew+5*time.Second))},
		{"SA-12 a day old", "wrong_time", func(d draft) { d.assertion.CreateAttr("IssueInstant", ago(24*time.Hour)) }},
		{"SA-12 a response that is a day old", "wrong_time", func(d draft) { d.response.CreateAttr("IssueInstant", ago(24*time.Hour)) }},
		{"SA-12 from the future", "wrong_time", func(d draft) { d.assertion.CreateAttr("IssueInstant", ago(-time.Hour)) }},
		{"SA-12 a time that is none", "wrong_time", set("Conditions", "NotOnOrAfter", "tomorrow")},
		{"another issuer", "wrong_issuer", func(d draft) { d.part("Issuer").SetText("https://other.example") }},
		{"another issuer of the response", "wrong_issuer", func(d draft) {
			only(d.response, nsAssertion, "Issuer").SetText("https://other.example")
		}},
		{"no issuer", "wrong_issuer", func(d draft) { d.assertion.RemoveChild(d.part("Issuer")) }},
		{"a condition that nobody knows", "unknown_condition", func(d draft) { child(d.part("Conditions"), "saml:Condition", "") }},
		{"no confirmation (Z-31)", "no_confirmation", func(d draft) {
			d.part("Subject").RemoveChild(d.part("Subject/SubjectConfirmation"))
		}},
		{"another confirmation", "no_confirmation", set("Subject/SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")},
		{"no subject", "no_subject", func(d draft) { d.assertion.RemoveChild(d.part("Subject")) }},
		{"no name", "no_subject", func(d draft) { d.part("Subject").RemoveChild(d.part("Subject/NameID")) }},
		{"two names", "no_subject", func(d draft) { child(d.part("Subject"), "saml:NameID", "alice") }},
		{"an empty name", "bad_name_id", func(d draft) { d.part("Subject/NameID").SetText(" ") }},
		{"a long name", "bad_name_id", func(d draft) { d.part("Subject/NameID").SetText(strings.Repeat("x", 300)) }},
		{"a transient name", "transient_name_id", set("Subject/NameID", "Format", Transient)},
		{"no statement", "not_authenticated", func(d draft) { d.assertion.RemoveChild(d.part("AuthnStatement")) }},
		{"SAML 1.1", "bad_message", func(d draft) { d.assertion.CreateAttr("Version", "1.1") }},
	} {
		d := s.draft()
		c.change(d)
		s.refused(c.what, s.signed(d), c.want)
	}
}

func TestASignedResponseMustSayWhereItWasSent(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	d := s.draft()
	d.response.RemoveAttr("Destination")
	if _, err := s.finish(s.signed(d)); err != nil {
		t.Errorf("not signed as a whole: %v", err)
	}
	d = s.draft()
	d.response.RemoveAttr("Destination")
	d.response.AddChild(d.assertion)
	s.sign(d.response)
	s.refused("SA-11 signed, without destination", document(t, d.response), "wrong_destination")
}

func TestClocksMayDifferALittle(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	d := s.draft()
	d.part("Conditions").CreateAttr("NotBefore", written(time.Now().Add(skew-10*time.Second)))
	d.part("Subject/SubjectConfirmation/SubjectConfirmationData").CreateAttr("NotOnOrAfter", written(time.Now().Add(10*time.Second-skew)))
	if _, err := s.finish(s.signed(d)); err != nil {
		t.Error(err)
	}
}

func TestARefusalOfTheProviderIsPassedOnWithoutItsWords(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	d := s.draft()
	code := only(only(d.response, nsProtocol, "Status"), nsProtocol, "StatusCode")
	code.CreateAttr("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")
	child(code, "samlp:StatusCode", "", "Value", "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed")
	_, err := s.finish(document(t, d.response))
	refusal, is := err.(*provider.Refusal) //nolint:errorlint // it is the refusal itself
	if !is || refusal.Kind != provider.Denied || strings.Contains(refusal.Text, "urn:") {
		t.Errorf("%v, want denied", err)
	}
}

func TestWhoHasToProveThemselvesAgainHasDoneSo(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	s.ask(true)
	d := s.draft()
	d.part("AuthnStatement").CreateAttr("AuthnInstant", written(time.Now().Add(-time.Hour)))
	s.refused("an hour ago", s.signed(d), "not_again")
	if _, err := s.finish(s.signed(s.draft())); err != nil {
		t.Errorf("just now: %v", err)
	}
}

func TestNamesOfDifferentFormatsAreDifferentPeople(t *testing.T) {
	t.Parallel()
	seen := map[string]nameID{}
	for _, n := range []nameID{
		{Value: "bob@x.example", Format: Email},
		{Value: "bob@x.example", Format: Persistent},
		{Value: "bob@x.example"},
		{Value: "bob@x.example", Format: "urn:x"},
		{Value: "bob@x.example", Format: Persistent, Qualifier: "q"},
		{Value: "bob@x.example", Format: Persistent, SPQualifier: "q"},
		{Value: "by=q:bob@x.example", Format: Persistent},
		{Value: "persistent::bob@x.example"},
	} {
		subject, err := n.subject("issuer", "us")
		if other, taken := seen[subject]; taken || err != nil {
			t.Errorf("%+v and %+v are both %q, %v", n, other, subject, err)
		}
		seen[subject] = n
	}
	same := nameID{Value: "bob@x.example", Format: Persistent, Qualifier: "issuer", SPQualifier: "us"}
	if subject, err := same.subject("issuer", "us"); err != nil || subject != "persistent::bob@x.example" {
		t.Errorf("qualified by those two themselves: %q, %v", subject, err)
	}
}

func TestAttributesAreFoundByTheNamesThatAreSet(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	s.p.Options.Attributes = map[string]string{"email": "contact", "name": "who", "groups": "teams"}
	d := s.draft()
	for name, value := range map[string]string{"contact": "b@acme-corp.com", "who": "Robert", "teams": "x"} {
		child(child(d.part("AttributeStatement"), "saml:Attribute", "", "Name", name), "saml:AttributeValue", value)
	}
	st, err := s.finish(s.signed(d))
	if err != nil || st.Email != "b@acme-corp.com" || st.Name != "Robert" || len(st.Groups) != 1 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestAnEncryptedNameIsRead(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	d := s.draft()
	name := etree.NewElement("saml:NameID")
	name.CreateAttr("xmlns:saml", nsAssertion)
	name.CreateAttr("Format", Persistent)
	name.SetText("bob-2")
	data, err := encrypt(name, testKeys()[2].Certificate, algAES256GCM)
	if err != nil {
		t.Fatal(err)
	}
	subject := d.part("Subject")
	subject.RemoveChild(d.part("Subject/NameID"))
	child(subject, "saml:EncryptedID", "").AddChild(data)
	if st, err := s.finish(s.signed(d)); err != nil || st.Subject != "persistent::bob-2" {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestAProviderBeginsByItselfOnlyWhereItMay(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	s.trip = provider.Trip{ReturnURL: ownURL + ACSPath}
	sent := formOf(s.signed(s.draft()))
	if _, err := s.sp.Finish(t.Context(), s.p, s.trip, sent); reasonOf(err) != "no_request" {
		t.Errorf("SA-09 as an answer: %v", err)
	}
	if _, _, err := s.sp.FinishUnsolicited(t.Context(), sent); reasonOf(err) != "unsolicited" {
		t.Errorf("SA-09 where it may not: %v", err)
	}
	s.p.Options.Unsolicited = true
	s.save()
	p, st, err := s.sp.FinishUnsolicited(t.Context(), sent)
	if err != nil || p.ID != s.p.ID || st.Subject != "persistent::bob-1" {
		t.Errorf("where it may: %+v, %v", st, err)
	}
	if _, _, err := s.sp.FinishUnsolicited(t.Context(), sent); reasonOf(err) != "replayed" {
		t.Errorf("SA-08 once more: %v", err)
	}
	s.ask(false)
	if _, _, err := s.sp.FinishUnsolicited(t.Context(), formOf(s.signed(s.draft()))); reasonOf(err) != "wrong_request" {
		t.Errorf("SA-09 an answer to a request that is not known: %v", err)
	}
}
