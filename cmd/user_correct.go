package cmd

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
)

func (a *app) updateUserCommand() *cobra.Command {
	var name string
	var profile []string
	var admin, verified, asJSON bool
	c := &cobra.Command{
		Use:   "update EMAIL-or-ID",
		Short: "Change a user's name and profile, and whether they are an administrator",
		Long: `Change a user: what you name is set, the rest stays. It counts from the next
request on. The last administrator stays one.

--set takes what applications are told by the scopes profile, phone and address:
avatar_url, given_name, family_name, middle_name, nickname, preferred_username,
profile_url, website, gender, birthdate, locale, zoneinfo, phone_number,
street_address, locality, region, postal_code, country. FIELD= clears one.`,
		Example: `  authy user update bob@example.com --name 'Bob Builder'
  authy user update bob@example.com --admin
  authy user update bob@example.com --admin=false --verified
  authy user update bob@example.com --set locality=Zürich --set website=`,
		Args: takes("EMAIL-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			var in account.Correction
			for flag, set := range map[string]func(){
				"name":     func() { in.FullName = &name },
				"admin":    func() { in.Admin = &admin },
				"verified": func() { in.EmailVerified = &verified },
				"set":      func() { in.Profile = profileTexts(profile) },
			} {
				if c.Flags().Changed(flag) {
					set()
				}
			}
			if slices.ContainsFunc(profile, func(set string) bool { return !strings.Contains(set, "=") }) {
				return misused(c, "--set takes FIELD=TEXT")
			}
			if in.FullName == nil && in.Admin == nil && in.EmailVerified == nil && len(in.Profile) == 0 {
				return misused(c, "say what to change")
			}
			return a.withUser(c.Context(), args[0], func(s *server.Services, u *account.User) error {
				return a.correctUser(c.Context(), s, u, in, asJSON)
			})
		},
	}
	c.Flags().StringVar(&name, "name", "", "full `NAME`; '' for none")
	c.Flags().BoolVar(&admin, "admin", false, "let the user administer the server, or not with --admin=false")
	c.Flags().BoolVar(&verified, "verified", false, "count the address as verified, or not with --verified=false")
	c.Flags().StringArrayVar(&profile, "set", nil, "what the user's profile says, as `FIELD=TEXT`; may be repeated")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// profileTexts are the fields of a profile that are set, by name.
func profileTexts(sets []string) map[string]string {
	texts := make(map[string]string, len(sets))
	for _, set := range sets {
		name, text, _ := strings.Cut(set, "=")
		texts[name] = text
	}
	return texts
}

func (a *app) correctUser(
	ctx context.Context, s *server.Services, u *account.User, in account.Correction, asJSON bool,
) error {
	changed, err := s.Accounts.Correct(ctx, audit.Shell(), u.ID, in)
	if err != nil {
		return err
	}
	a.note("Changed %s.", changed.Email)
	if asJSON {
		return a.printJSON(userOutOf(changed))
	}
	return nil
}
