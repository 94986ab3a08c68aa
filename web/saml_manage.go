package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"time"

	"authy/server/logout"
	"authy/server/managed"
	"authy/server/saml2"
	"authy/server/session"
)

// maxSAMLForm is the largest form with metadata that is read, in bytes: as it is
// sent, a sign of XML may take three.
const maxSAMLForm = 3 << 20

// samlPerPage is how many services a page of the list shows.
const samlPerPage = 50

// samlScope is whose SAML services a page is about: the server's, or those of an
// organization.
type samlScope struct {
	id      *session.Identity
	orgID   string // "" for the server
	orgSlug string // as well
	root    string // the path of the list
	show    func(status int, name, title string, data any)
}

// samlHandler is a handler of a page about SAML services.
type samlHandler func(w http.ResponseWriter, r *http.Request, sc samlScope) error

// registerSAMLServices mounts the pages about the SAML services of a scope.
func (wb *Web) registerSAMLServices(
	root string, handle func(method, path string, h http.Handler), within func(h samlHandler) handler,
) {
	get := func(path string, h samlHandler) { handle(http.MethodGet, root+path, wb.page(within(h))) }
	post := func(path string, h samlHandler) {
		handle(http.MethodPost, root+path, wb.form(wb.sized(maxSAMLForm, within(h))))
	}
	get("", wb.showSAMLServices)
	get("/new", wb.showNewSAMLService)
	post("/new", wb.addSAMLService)
	get("/services/:service", wb.showSAMLService)
	get("/services/:service/edit", wb.showSAMLServiceChange)
	post("/services/:service/edit", wb.changeSAMLService)
	post("/services/:service/state", wb.switchSAMLService)
	post("/services/:service/fetch", wb.fetchSAMLService)
	get("/services/:service/remove", wb.showSAMLServiceRemoval)
	post("/services/:service/remove", wb.removeSAMLService)
}

// samlPart is what every page about SAML services has.
type samlPart struct {
	Root string
	Org  string // the slug of the organization whose they are, "" for the server
}

func (sc samlScope) part() samlPart { return samlPart{sc.root, sc.orgSlug} }

// samlListPage is the data of pages "admin_saml" and "org_saml".
type samlListPage struct {
	samlPart
	Search   string
	Services []samlRow
	Pager    pagerView
	Own      samlOwn
}

// Line is the command that lists the same.
func (p samlListPage) Line() cliPart {
	return cliWith([]string{"authy saml sp list"}, [][2]string{{"--org", p.Org}})
}

// samlRow is a service in the list.
type samlRow struct {
	samlName
	Organization string
	Active       bool
	LastUsed     time.Time
}

// samlName names a service.
type samlName struct{ Slug, Name, EntityID string }

func samlNameOf(s *saml2.Service) samlName { return samlName{s.Slug, s.Name, s.EntityID} }

// samlOwn is what a service needs to know of this server.
type samlOwn struct {
	EntityID, SSO, SLO, Certificate string
	Ends                            time.Time
}

// own describes this server to services.
func (wb *Web) samlOwn(r *http.Request) (samlOwn, error) {
	own, err := wb.SAMLIDP.Own(r.Context())
	if err != nil {
		return samlOwn{}, err
	}
	return samlOwnOf(own), nil
}

func samlOwnOf(own *saml2.Own) samlOwn {
	return samlOwn{own.EntityID, own.SSO, own.SLO, own.Certificate, own.EndsAt}
}

// showSAMLServices lists services.
func (wb *Web) showSAMLServices(_ http.ResponseWriter, r *http.Request, sc samlScope) error {
	query := r.URL.Query()
	q := saml2.Query{Search: query.Get("search"), After: query.Get("after"), Limit: samlPerPage}
	found, next, err := wb.SAMLServices.Page(r.Context(), sc.id.Actor(actor(r)), sc.orgID, q)
	if err != nil {
		return err
	}
	page := samlListPage{samlPart: sc.part(), Search: q.Search}
	for _, s := range found {
		page.Services = append(page.Services, samlRow{
			samlNameOf(s.Service), s.Organization, s.IsActive, s.LastUsedAt.Time,
		})
	}
	if next != "" {
		page.Pager.Next = sc.root + "?" + url.Values{"search": {q.Search}, "after": {next}}.Encode()
	}
	if q.After != "" {
		page.Pager.Back = sc.root + "?" + url.Values{"search": {q.Search}}.Encode()
	}
	if page.Own, err = wb.samlOwn(r); err != nil {
		return err
	}
	sc.show(http.StatusOK, "saml", msg("SAML services"), page)
	return nil
}

// samlServicePage is the data of pages "admin_saml_service" and "org_saml_service".
type samlServicePage struct {
	subject
	samlPart
	samlName
	Organization string
	Active       bool
	Problem      string // why its metadata cannot be used

	ACS          []string
	SLO          []samlWay
	Certificates []samlCertificate
	MetadataURL  string
	ValidUntil   time.Time

	Preset, Format string
	Attributes     []samlAttribute
	Allowed        []string
	Encrypts       bool
	Start          string // where people begin here; "" if they cannot
	RelayState     string
	LastUsed       time.Time
	Created        time.Time

	Receipts []samlReceipt
	Own      samlOwn
}

// samlWay is where a service is told that a session has ended, and how.
type samlWay struct {
	URL      string
	FromHere bool // by the server itself
	ByForm   bool // by a browser, with a form
}

// samlCertificate is a certificate of a service.
type samlCertificate struct {
	Fingerprint  string
	Signs, Opens bool
	Ends         time.Time
	Over         bool
}

// samlAttribute is an attribute that a service is told.
type samlAttribute struct{ Name, Claim string }

// samlReceipt is what became of telling a service that a session has ended.
type samlReceipt struct {
	Delivered, Failed, Retrying bool // none: it is on its way
	Error                       string
	Ended                       time.Time
}

// showSAMLService shows a service.
func (wb *Web) showSAMLService(_ http.ResponseWriter, r *http.Request, sc samlScope) error {
	d, err := wb.SAMLServices.Detail(r.Context(), sc.id.Actor(actor(r)), sc.orgID, param(r, "service"))
	if err != nil {
		return err
	}
	page := samlServicePageOf(d)
	page.subject = subject{managed.SAMLService, d.ID}
	page.samlPart = sc.part()
	own, err := wb.SAMLIDP.Own(r.Context())
	if err != nil {
		return err
	}
	page.Own = samlOwnOf(own)
	if d.Options.Unsolicited {
		page.Start = own.Start + d.Slug
	}
	sc.show(http.StatusOK, "saml_service", d.Name, page)
	return nil
}

func samlServicePageOf(d *saml2.Detail) samlServicePage {
	o := saml2.Effective(d.Service)
	page := samlServicePage{
		samlName: samlNameOf(d.Service), Organization: d.Organization, Active: d.IsActive, Problem: d.Problem,
		MetadataURL: o.MetadataURL, ValidUntil: d.Peer.ValidUntil,
		Preset: saml2.PresetName(o.Preset), Format: o.NameIDFormat, Allowed: d.Allowed,
		Encrypts: !o.Plain && len(d.Peer.Encryption) > 0, RelayState: o.RelayState,
		LastUsed: d.LastUsedAt.Time, Created: d.CreatedAt.Time,
	}
	for _, e := range d.Peer.ACS {
		if e.Binding == saml2.Post && !slices.Contains(page.ACS, e.URL) {
			page.ACS = append(page.ACS, e.URL)
		}
	}
	for _, e := range d.Peer.SLO {
		page.SLO = append(page.SLO, samlWay{URL: e.URL, FromHere: e.Binding == saml2.SOAP, ByForm: e.Binding == saml2.Post})
	}
	for _, f := range saml2.Fingerprints(d.Peer) {
		page.Certificates = append(page.Certificates, samlCertificate{f.Value, f.Signs, f.Opens, f.EndsAt, f.Over})
	}
	for name, claim := range o.Attributes {
		page.Attributes = append(page.Attributes, samlAttribute{name, claim})
	}
	slices.SortFunc(page.Attributes, func(a, b samlAttribute) int { return cmp.Compare(a.Name, b.Name) })
	for _, l := range d.Receipts {
		page.Receipts = append(page.Receipts, samlReceipt{
			l.State == logout.Delivered, l.State == logout.Failed, l.State == logout.Retrying, l.LastError, l.CreatedAt.Time,
		})
	}
	return page
}
