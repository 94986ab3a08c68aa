package web

import (
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"authy/server/brand"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/session"
)

const (
	brandingPath = "/admin/branding"
	// maxBranding is the largest form with a logo that is read, in bytes: the file, and the
	// one that was looked at before.
	maxBranding = 2*brand.MaxLogo + 64<<10
)

func (wb *Web) registerAdminBranding(
	get, post func(path string, h handler), handle func(method, path string, h http.Handler),
) {
	get(brandingPath, wb.admin(wb.showBranding))
	handle(http.MethodPost, brandingPath, wb.upload(maxBranding, wb.admin(wb.saveBranding)))
	get(brandingPath+"/preview.css", wb.admin(wb.showPreviewStyle))
	get(brandingPath+"/reset", wb.admin(wb.showResetBranding))
	post(brandingPath+"/reset", wb.admin(wb.resetBranding))
}

// adminBrandingPage is the data of page "admin_branding".
type adminBrandingPage struct {
	subject
	Fields  []inputView
	Logo    inputView
	HasLogo bool
	// Drawn is a logo that was looked at and is not kept yet, base64.
	Drawn   string
	Problem string
	Tried   bool // what is shown beside the form is not kept yet
	Chosen  bool // there is something to reset
	Preview previewView
}

// previewView is how a brand looks in both schemes.
type previewView struct {
	Style       string // the address of its style sheet
	Brand       brandView
	Light, Dark string // the accents
	Schemes     []string
}

// errBrandingForm is answered to a form that cannot be read.
var errBrandingForm = fault.New(fault.Invalid, "bad_form",
	"The form could not be read: the file is larger than 512 KiB, or it is not a form.")

func (wb *Web) showBranding(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	b, err := wb.Brand.Show(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	wb.renderBranding(w, r, http.StatusOK, b, adminBrandingPage{Fields: brandingFields(b)})
	return nil
}

// brandingFields are the fields of the form, filled with what there is.
func brandingFields(b *brand.Brand) []inputView {
	inDark := b.Dark.Accent.String()
	if b.Follows {
		inDark = ""
	}
	return []inputView{
		{
			Name: "name", Label: msg("Name of the server"), Value: b.Name, Required: true,
			Hint: msg("On every page, in mails, and in authenticator apps that are set up from now on. At most 40 characters."),
		},
		{
			Name: "accent_light", Label: msg("Accent colour"), Value: b.Light.Accent.String(), Required: true, Mono: true,
			Hint: msg("For links and buttons, written like #0b6b61. Text must be readable in it: its contrast is checked."),
		},
		{
			Name: "accent_dark", Label: msg("Accent colour on dark pages"), Value: inDark, Mono: true,
			Hint: msg("Left empty, it follows from the other one."),
		},
	}
}

// renderBranding shows the form beside how b looks.
func (wb *Web) renderBranding(w http.ResponseWriter, r *http.Request, status int, b *brand.Brand, page adminBrandingPage) {
	page.subject = subject{managed.Branding, managed.BrandingID}
	page.HasLogo, page.Chosen = b.Logo != nil, !b.UpdatedAt.IsZero()
	page.Logo.Name, page.Logo.Label, page.Logo.Kind = "logo", msg("Logo"), "file"
	page.Logo.Hint = msg("A PNG, JPEG or WebP of at most 512 KiB. It is shown 32 pixels high, on light and on dark pages. SVG is not taken: it can hold scripts.")
	page.Preview = previewOf(b)
	wb.adminPage(w, r, status, "admin_branding", "Branding", page)
}

func previewOf(b *brand.Brand) previewView {
	v := previewView{
		Light: b.Light.Accent.String(), Dark: b.Dark.Accent.String(), Brand: brandView{Name: b.Name},
		Schemes: []string{"light", "dark"},
	}
	v.Style = brandingPath + "/preview.css?" + url.Values{"light": {v.Light}, "dark": {v.Dark}}.Encode()
	if b.Logo != nil {
		v.Brand.Logo = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Logo)) //nolint:gosec // drawn here
	}
	return v
}

// showPreviewStyle answers with the colours of a preview.
func (wb *Web) showPreviewStyle(w http.ResponseWriter, r *http.Request, _ *session.Identity) error {
	style, ok := brand.PreviewOf(r.FormValue("light"), r.FormValue("dark"))
	if !ok {
		return fault.New(fault.NotFound, "not_found", "There is no page at this address.")
	}
	serveBrand(w, r, "text/css; charset=utf-8", []byte(style), false)
	return nil
}

func (wb *Web) saveBranding(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	err := readUpload(r)
	if errors.Is(err, http.ErrNotMultipart) { // of a program, without a file
		err = readForm(r)
	}
	if err != nil {
		return errBrandingForm
	}
	by, tries := id.Actor(actor(r)), r.PostFormValue("do") == "try"
	change, err := brandingChange(r)
	var b *brand.Brand
	switch {
	case err != nil:
	case tries:
		b, err = wb.Brand.Try(r.Context(), by, change)
	default:
		b, err = wb.Brand.Change(r.Context(), by, change)
	}
	if err != nil {
		return wb.brandingProblem(w, r, id, err)
	}
	if !tries {
		return wb.carry(w, r, brandingPath, carried{Notice: wb.say(r, "The branding was saved.")})
	}
	page := adminBrandingPage{Fields: brandingFields(b), Tried: true}
	if change.Logo != nil {
		page.Drawn = base64.StdEncoding.EncodeToString(b.Logo)
	}
	wb.renderBranding(w, r, http.StatusOK, b, page)
	return nil
}

// brandingProblem shows the form again with what is wrong in it, beside what there is.
func (wb *Web) brandingProblem(w http.ResponseWriter, r *http.Request, id *session.Identity, err error) error {
	b, failed := wb.Brand.Show(r.Context(), id.Actor(actor(r)))
	if failed != nil {
		return failed
	}
	fields := append(brandingFields(b), inputView{Name: "logo"})
	rest, told := problemsOf(r.Context(), err, fields)
	f, _ := fault.In(r.Context(), err)
	if !told || f.Kind != fault.Invalid {
		return err
	}
	for i := range fields {
		fields[i].Value = r.PostFormValue(fields[i].Name)
	}
	wb.sayContrast(r, fields)
	last := len(fields) - 1
	wb.renderBranding(w, r, statuses[f.Kind], b, adminBrandingPage{
		Fields: fields[:last], Logo: inputView{Problem: fields[last].Problem}, Problem: rest,
	})
	return nil
}

// sayContrast says of the colours that are refused, in the reader's language, what their
// contrast is.
func (wb *Web) sayContrast(r *http.Request, fields []inputView) {
	for i := range fields {
		f := &fields[i]
		switch f.Name {
		case "accent_light":
			if ratio, bad := brand.Unreadable(f.Value, false); bad {
				f.Problem = wb.say(r, "On light pages its contrast is %s:1, and text needs 4.5:1. Choose a darker colour.", wb.speaks(r).Decimal(ratio))
			}
		case "accent_dark":
			if ratio, bad := brand.Unreadable(f.Value, true); bad {
				f.Problem = wb.say(r, "On dark pages its contrast is %s:1, and text needs 4.5:1. Choose a brighter colour.", wb.speaks(r).Decimal(ratio))
			}
		}
	}
}

// brandingChange reads the form.
func brandingChange(r *http.Request) (c brand.Change, err error) {
	for name, to := range map[string]**string{
		"name": &c.Name, "accent_light": &c.AccentLight, "accent_dark": &c.AccentDark,
	} {
		if r.PostForm.Has(name) {
			text := r.PostForm.Get(name)
			*to = &text
		}
	}
	c.NoLogo = r.PostFormValue("no_logo") != ""
	file, err := sentFile(r, "logo")
	if err != nil || len(file) > 0 {
		c.Logo = file
		return c, err
	}
	if drawn := r.PostFormValue("drawn"); drawn != "" && !c.NoLogo {
		if c.Logo, err = base64.StdEncoding.DecodeString(drawn); err != nil {
			return c, fault.Field("logo", "Not a picture that can be read: send PNG, JPEG or WebP.")
		}
	}
	return c, nil
}

// adminBrandingResetPage is the data of page "admin_branding_reset".
type adminBrandingResetPage struct{ Name string }

func (wb *Web) showResetBranding(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	b, err := wb.Brand.Show(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	wb.adminPage(w, r, http.StatusOK, "admin_branding_reset", "Reset the branding", adminBrandingResetPage{b.Name})
	return nil
}

func (wb *Web) resetBranding(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	if err := wb.Brand.Reset(r.Context(), id.Actor(actor(r))); err != nil {
		return err
	}
	return wb.carry(w, r, brandingPath, carried{Notice: wb.say(r, "The branding was reset.")})
}
