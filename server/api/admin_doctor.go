package api

import (
	"context"

	"authy/server/audit"
	"authy/server/doctor"
	"authy/server/session"
)

// adminDoctorRoutes examine the set-up.
func (a *API) adminDoctorRoutes() {
	signed(a, "POST /api/v1/admin/doctor", 200, "Set-up examined", "Look for what is wrong with the set-up, as authy doctor does", a.examine)
}

type doctorOut struct {
	OK       bool                `json:"ok" doc:"Whether nothing is wrong"`
	Findings []doctorFindingView `json:"findings" nullable:"false"`
	Count    int                 `json:"count"`
}

type doctorFindingView struct {
	Name string `json:"name" example:"backup" doc:"One of the names in docs/operations.md, or the key of a setting"`
	Text string `json:"text" doc:"What is wrong, and what to do"`
}

func (a *API) examine(ctx context.Context, _ *session.Identity, by audit.Actor, _ *struct{}) (*doctorOut, error) {
	found, err := a.Doctor.Examine(ctx, by)
	if err != nil {
		return nil, err
	}
	return &doctorOut{len(found) == 0, viewsOf(found, func(f *doctor.Finding) doctorFindingView {
		return doctorFindingView{f.Name, f.String()}
	}), len(found)}, nil
}
