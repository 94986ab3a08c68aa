package web

import (
	"net/http"

	"authy/server/doctor"
	"authy/server/session"
)

const doctorPath = settingsPath + "/doctor"

// adminDoctorPage is the data of page "admin_doctor".
type adminDoctorPage struct{ Findings []namedFinding }

// namedFinding is something that is wrong, by the name that docs/operations.md has.
type namedFinding struct{ Name, Text string }

// showDoctor examines the server, and shows what is wrong.
func (wb *Web) showDoctor(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	found, err := wb.Doctor.Examine(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	page := adminDoctorPage{}
	for _, f := range found {
		page.Findings = append(page.Findings, namedFinding{f.Name, wb.sayFinding(r, f)})
	}
	wb.adminPage(w, r, http.StatusOK, "admin_doctor", "Set-up", page)
	return nil
}

// sayFinding says a finding. What others have put into words, such as the risk of a
// setting, is all of its text.
func (wb *Web) sayFinding(r *http.Request, f doctor.Finding) string {
	if f.Text == "%s" && len(f.Args) == 1 {
		return wb.say(r, f.Args[0])
	}
	args := make([]any, len(f.Args))
	for i, arg := range f.Args {
		args[i] = arg
	}
	return wb.say(r, f.Text, args...)
}
