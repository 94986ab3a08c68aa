package web

import (
	"net/http"
	"time"

	"authy/server/fault"
	"authy/server/login"
	"authy/server/openid"
)

// deviceCodePage is the data of page "device_code", where the code of a device is typed.
type deviceCodePage struct {
	UserCode string // prefilled by a link that the device showed
	Problem  string
}

// deviceAllowPage is the data of page "device_allow", which asks whether a device may
// be let in.
type deviceAllowPage struct {
	Flow, Email string
	Client      clientView
	Scopes      []scopeView
	Address     string    // where the device asked for its code
	Asked       time.Time // and when
}

// showDeviceCode asks for the code that a device shows (RFC 8628, section 3.3). A link
// fills it in, and does no more (section 3.3.1).
func (wb *Web) showDeviceCode(w http.ResponseWriter, r *http.Request) error {
	wb.renderDeviceCode(w, r, http.StatusOK, deviceCodePage{UserCode: r.Form.Get("user_code")})
	return nil
}

func (wb *Web) renderDeviceCode(w http.ResponseWriter, r *http.Request, status int, page deviceCodePage) {
	if len(page.UserCode) > 64 {
		page.UserCode = ""
	}
	wb.pages.render(w, r, status, "device_code", wb.view(r, "Connect a device", page))
}

// deviceCode takes the code.
func (wb *Web) deviceCode(w http.ResponseWriter, r *http.Request) error {
	code := r.PostForm.Get("user_code")
	next, err := wb.Login.Device(r.Context(), actor(r), wb.browser(r), code)
	if f, ok := fault.In(r.Context(), err); ok && f.Kind != fault.Internal {
		setRetryAfter(w, f)
		wb.renderDeviceCode(w, r, statuses[f.Kind], deviceCodePage{UserCode: code, Problem: f.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	wb.follow(w, r, next)
	return nil
}

// renderDeviceAllow asks whether a device may be let in; its answer is that of any
// other consent.
func (wb *Web) renderDeviceAllow(w http.ResponseWriter, r *http.Request, flow string, q *login.Question) {
	page := deviceAllowPage{
		Flow: flow, Email: q.Identity.User.Email, Client: *clientOf(q),
		Address: q.Request.Device.Address, Asked: q.Request.Device.Asked,
	}
	for _, name := range q.Request.Scopes {
		page.Scopes = append(page.Scopes, scopeOf(name))
	}
	wb.pages.render(w, r, http.StatusOK, "device_allow", wb.view(r, "Connect a device", page))
}

// outcomes are the pages at the end, by what became of the device.
var outcomes = map[string]messagePage{
	"allowed": {
		Heading: msg("The device is connected"),
		Text:    []string{msg("Go back to it: it goes on by itself in a few seconds. You can close this page.")},
	},
	"denied": {
		Heading: msg("The device was not connected"),
		Text:    []string{msg("It is told that you did not allow it, and gets nothing.")},
	},
	"refused": {
		Heading: msg("The device was not connected"), Problem: true,
		Text: []string{msg("You may not use this application with your account. Ask whoever runs it, or use another account.")},
		Link: openid.DevicePath, LinkText: msg("Try again"),
	},
}

// showDeviceDone says what became of a device.
func (wb *Web) showDeviceDone(w http.ResponseWriter, r *http.Request) error {
	page, known := outcomes[r.Form.Get("outcome")]
	if !known {
		redirect(w, r, openid.DevicePath)
		return nil
	}
	wb.pages.render(w, r, http.StatusOK, "message", wb.view(r, "Connect a device", page))
	return nil
}
