package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/login"
	"authy/server/org"
	"authy/server/session"
)

// mfaRoutes are what organizations ask of their members as a second factor.
func (a *API) mfaRoutes() {
	const one = "/api/v1/organizations/{id}"
	signed(a, "GET "+one+"/security-policy", 200, "Security policy retrieved successfully",
		"What an organization asks as a second factor", a.policy)
	signed(a, "PUT "+one+"/security-policy", 200, "Security policy updated successfully",
		"Ask for a second factor; what is left out stays", a.setPolicy)
	signed(a, "GET "+one+"/mfa-compliance", 200, "Compliance records retrieved successfully",
		"Which members meet the policy", a.compliance)
	signed(a, "PATCH "+one+"/users/{user}/security-policy", 200, "User security policy updated successfully",
		"Ask more of one member, or exempt them", a.setOverride)
	signed(a, "GET /api/v1/users/me/mfa-compliance", 200, "MFA compliance retrieved successfully",
		"What my organizations ask of me as a second factor", a.myCompliance)
}

type policyView struct {
	OrganizationID string `json:"organization_id" format:"uuid"`
	Mode           string `json:"mfa_policy_mode" enum:"disabled,optional,require_totp,require_webauthn,require_totp_or_webauthn"`
	GraceDays      int64  `json:"mfa_grace_period_days"`
	NotifyDays     int64  `json:"notify_days_before"`
	Version        int64  `json:"policy_version" doc:"0 until somebody sets a policy"`
}

type policyOut struct {
	Policy policyView `json:"security_policy"`
}

func policyOutOf(p *org.Policy, err error) (*policyOut, error) {
	if err != nil {
		return nil, err
	}
	return &policyOut{policyView(*p)}, nil
}

func (a *API) policy(ctx context.Context, _ *session.Identity, by audit.Actor, in *InOrg) (*policyOut, error) {
	return policyOutOf(a.Orgs.Policy(ctx, by, in.ID))
}

type setPolicyIn struct {
	InOrg
	Body struct {
		Mode       *string `json:"mfa_policy_mode,omitempty" example:"require_totp_or_webauthn"`
		GraceDays  *int64  `json:"mfa_grace_period_days,omitempty" doc:"0 to 365; 0 is at once"`
		NotifyDays *int64  `json:"notify_days_before,omitempty" doc:"0 to 30"`
	}
}

func (a *API) setPolicy(ctx context.Context, _ *session.Identity, by audit.Actor, in *setPolicyIn) (*policyOut, error) {
	return policyOutOf(a.Orgs.SetPolicy(ctx, by, in.ID, org.PolicyChange(in.Body)))
}

// complianceView is a member and how they meet the policy.
type complianceView struct {
	UserID            string     `json:"user_id" format:"uuid"`
	Email             string     `json:"email"`
	FullName          *string    `json:"full_name" nullable:"true"`
	Status            string     `json:"status" enum:"not_applicable,pending,in_grace,compliant,past_due,suspended"`
	DeadlineAt        *time.Time `json:"deadline_at" nullable:"true" doc:"null where nothing is missing"`
	AppliedAt         *time.Time `json:"applied_at" nullable:"true" doc:"Since when as much is asked"`
	CompliantAt       *time.Time `json:"compliant_at" nullable:"true"`
	SuspendedAt       *time.Time `json:"suspended_at" nullable:"true"`
	NotificationCount int64      `json:"notification_count"`
}

type complianceIn struct {
	InOrg
	PageIn
	Status string `query:"status" doc:"Only members in this state"`
}

type complianceOut struct {
	Compliance []complianceView `json:"compliance"`
	Count      int              `json:"count" doc:"How many are on this page"`
	PageOut
}

func (a *API) compliance(ctx context.Context, _ *session.Identity, by audit.Actor, in *complianceIn) (*complianceOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	found, next, err := a.Orgs.Compliance(ctx, by, in.ID, in.Status, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &complianceOut{Compliance: make([]complianceView, len(found)), Count: len(found), PageOut: PageOut{next}}
	for i, f := range found {
		out.Compliance[i] = complianceView{
			UserID: f.User.ID, Email: f.User.Email, FullName: orNull(f.User.FullName), Status: f.Status,
			DeadlineAt: timeOrNull(f.DeadlineAt), AppliedAt: timeOrNull(f.AppliedAt),
			CompliantAt: timeOrNull(f.Recorded.CompliantAt.Time), SuspendedAt: timeOrNull(f.Recorded.SuspendedAt.Time),
			NotificationCount: f.Recorded.NotificationCount,
		}
	}
	return out, nil
}

type setOverrideIn struct {
	MemberIn
	Body struct {
		Mode          string `json:"mfa_override_mode" example:"required" doc:"inherit, required or exempt"`
		ForceTOTP     bool   `json:"force_totp,omitempty" doc:"An authenticator, whatever else there is"`
		ForceWebAuthn bool   `json:"force_webauthn,omitempty" doc:"A passkey, whatever else there is"`
	}
}

type overrideView struct {
	UserID         string `json:"user_id" format:"uuid"`
	OrganizationID string `json:"organization_id" format:"uuid"`
	Mode           string `json:"mfa_override_mode" enum:"inherit,required,exempt"`
	ForceTOTP      bool   `json:"force_totp"`
	ForceWebAuthn  bool   `json:"force_webauthn"`
}

type overrideOut struct {
	Override overrideView `json:"user_security_policy"`
}

func (a *API) setOverride(ctx context.Context, _ *session.Identity, by audit.Actor, in *setOverrideIn) (*overrideOut, error) {
	b := in.Body
	if err := a.Orgs.SetOverride(ctx, by, in.ID, in.User, org.Override(b)); err != nil {
		return nil, err
	}
	return &overrideOut{overrideView{in.User, in.ID, b.Mode, b.ForceTOTP, b.ForceWebAuthn}}, nil
}

// standingIn is what one organization asks of me.
type standingIn struct {
	OrganizationID   string     `json:"organization_id" format:"uuid"`
	OrganizationName string     `json:"organization_name"`
	Status           string     `json:"status" enum:"not_applicable,pending,in_grace,compliant,past_due,suspended"`
	EffectiveMode    string     `json:"effective_mode" example:"require_totp_or_webauthn"`
	DeadlineAt       *time.Time `json:"deadline_at" nullable:"true"`
	AppliedAt        *time.Time `json:"applied_at" nullable:"true"`
}

// standing is what my organizations ask of me.
type standing struct {
	OverallStatus  string       `json:"overall_status" enum:"pending,in_grace,compliant,past_due,suspended"`
	MissingMethods []string     `json:"missing_methods" doc:"totp, webauthn: what would help"`
	DeadlineAt     *time.Time   `json:"deadline_at" nullable:"true" doc:"The earliest"`
	Orgs           []standingIn `json:"orgs"`
}

func standingOf(s *org.Standing) *standing {
	out := &standing{
		OverallStatus: s.Overall, MissingMethods: s.Missing, DeadlineAt: timeOrNull(s.DeadlineAt),
		Orgs: make([]standingIn, len(s.Places)),
	}
	for i, p := range s.Places {
		out.Orgs[i] = standingIn{
			OrganizationID: p.Organization.ID, OrganizationName: p.Organization.Name, Status: p.Status,
			EffectiveMode: p.Mode, DeadlineAt: timeOrNull(p.DeadlineAt), AppliedAt: timeOrNull(p.AppliedAt),
		}
	}
	return out
}

type standingOut struct {
	MFACompliance *standing `json:"mfa_compliance"`
}

func (a *API) myCompliance(ctx context.Context, id *session.Identity, _ audit.Actor, _ *struct{}) (*standingOut, error) {
	s, err := a.Orgs.Standing(ctx, id.User.ID)
	if err != nil {
		return nil, err
	}
	return &standingOut{standingOf(s)}, nil
}

// Enrollment says whether whoever has signed in must set a second factor up. It
// is exported for the framework.
type Enrollment struct {
	MFACompliance         *standing `json:"mfa_compliance,omitempty"`
	RequiresMFAEnrollment bool      `json:"requires_mfa_enrollment,omitempty" doc:"The session can do no more than that"`
}

func enrollmentOf(r *login.Result) Enrollment {
	if r.Standing == nil { // of a session that has gone on
		return Enrollment{}
	}
	return Enrollment{standingOf(r.Standing), r.Standing.Limited()}
}
