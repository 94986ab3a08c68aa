package saml2

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"authy/server/audit"
)

const (
	pairwise   = "urn:oasis:names:tc:SAML:attribute:pairwise-id"
	targetedID = "urn:oid:1.3.6.1.4.1.5923.1.1.1.10"
)

// transient returns an answer about somebody whose name is another each time, with values of an
// attribute.
func (s *stub) transient(attribute string, values ...string) draft {
	d := s.draft()
	d.part("Subject/NameID").CreateAttr("Format", Transient)
	d.part("Subject/NameID").SetText(newID())
	el := child(d.part("AttributeStatement"), "saml:Attribute", "", "Name", attribute)
	for _, value := range values {
		child(el, "saml:AttributeValue", value)
	}
	return d
}

func TestAnAttributeSaysWhoSomebodyIsForGood(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	s.p.Options.SubjectAttribute = pairwise
	if request := s.ask(false); strings.Contains(s.answered(request).binding, "POST") ||
		attr(only(s.answered(request).root, nsProtocol, "NameIDPolicy"), "Format") != "" {
		t.Error("a format of names is asked for")
	}
	told := map[string]bool{}
	for _, value := range []string{"Bob-1@idp.example", "bob-1@IDP.example"} {
		s.ask(false)
		st, err := s.finish(s.signed(s.transient(pairwise, value)))
		if err != nil {
			t.Fatal(err)
		}
		if want := "attribute:urn%3Aoasis%3Anames%3Atc%3ASAML%3Aattribute%3Apairwise-id:bob-1@idp.example"; st.Subject != want {
			t.Errorf("%s is %q, want %q", value, st.Subject, want)
		}
		if told[st.SessionSubject] || !strings.HasPrefix(st.SessionSubject, "transient::_") {
			t.Errorf("in the session %s is %q", value, st.SessionSubject)
		}
		told[st.SessionSubject] = true
	}
	for what, c := range map[string]struct {
		want   string
		values []string
	}{
		"none":    {"no_subject_attribute", nil},
		"two":     {"no_subject_attribute", []string{"a", "b"}},
		"empty":   {"bad_subject_attribute", []string{" "}},
		"long":    {"bad_subject_attribute", []string{strings.Repeat("x", 257)}},
		"control": {"bad_subject_attribute", []string{"a\tb"}},
	} {
		s.ask(false)
		s.refused(what, s.signed(s.transient(pairwise, c.values...)), c.want)
	}
}

func TestATargetedIDIsANameInAnAttribute(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	s.p.Options.SubjectAttribute = targetedID
	with := func(format string, more ...func(el *etree.Element)) string {
		d := s.transient(targetedID, "")
		values := children(d.part("AttributeStatement"), nsAssertion, "Attribute")
		value := only(values[len(values)-1], nsAssertion, "AttributeValue")
		nameID{Value: "bob-1", Format: format, Qualifier: stubEntity, SPQualifier: s.sp.EntityID()}.element(value)
		for _, change := range more {
			change(value)
		}
		return s.signed(d)
	}
	st, err := s.finish(with(Persistent))
	if err != nil || st.Subject != "attribute:urn%3Aoid%3A1.3.6.1.4.1.5923.1.1.1.10:persistent::bob-1" {
		t.Errorf("Finish() = %+v, %v", st, err)
	}
	s.ask(false)
	s.refused("a transient name in it", with(Transient), "transient_name_id")
	s.ask(false)
	s.refused("two names in it", with(Persistent, func(el *etree.Element) { nameID{Value: "alice"}.element(el) }), "no_subject")
}

func TestAProviderEndsASessionByATransientName(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	var e ended
	s.sp.End = e.end
	el := begin("LogoutRequest", ownURL+SPLogoutPath, s.p.Issuer, time.Now())
	el.CreateAttr("NotOnOrAfter", written(time.Now().Add(time.Minute)))
	nameID{Value: "_1", Format: Transient}.element(el)
	if _, err := s.sp.TakeLogout(t.Context(), audit.Actor{}, s.carried(el, Redirect, "", s.key)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"stub " + stubEntity + " transient::_1 "}; !slices.Equal(e.all, want) {
		t.Errorf("ended %q, want %q", e.all, want)
	}
}
