package account

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

const (
	maxURL   = 512 // bytes
	maxShort = 64  // characters, of what is a word or two
)

// profileField is something that users say of themselves.
type profileField struct {
	// parse returns a text as it is kept, or what is wrong with it.
	parse func(text string) (kept, problem string)
	at    func(u *storage.User) *string
}

// profileFields are what users may change of themselves, by their names in
// OpenID Connect Core 1.0, section 5.1, where it has one.
var profileFields = map[string]profileField{
	"full_name":          {words(maxName), func(u *storage.User) *string { return &u.FullName }},
	"avatar_url":         {webAddress, func(u *storage.User) *string { return &u.AvatarURL }},
	"given_name":         {words(maxName), func(u *storage.User) *string { return &u.GivenName }},
	"family_name":        {words(maxName), func(u *storage.User) *string { return &u.FamilyName }},
	"nickname":           {words(maxName), func(u *storage.User) *string { return &u.Nickname }},
	"preferred_username": {words(maxName), func(u *storage.User) *string { return &u.PreferredUsername }},
	"website":            {webAddress, func(u *storage.User) *string { return &u.Website }},
	"gender":             {words(maxShort), func(u *storage.User) *string { return &u.Gender }},
	"birthdate":          {birthdate, func(u *storage.User) *string { return &u.Birthdate }},
	"phone_number":       {phoneNumber, func(u *storage.User) *string { return &u.PhoneNumber }},
	"locale":             {locale, func(u *storage.User) *string { return &u.Locale }},
	"zoneinfo":           {zone, func(u *storage.User) *string { return &u.Zoneinfo }},
	"middle_name":        {words(maxName), func(u *storage.User) *string { return &u.MiddleName }},
	"profile_url":        {webAddress, func(u *storage.User) *string { return &u.ProfileURL }},
	"street_address":     {words(maxName), func(u *storage.User) *string { return &u.StreetAddress }},
	"locality":           {words(maxName), func(u *storage.User) *string { return &u.Locality }},
	"region":             {words(maxName), func(u *storage.User) *string { return &u.Region }},
	"postal_code":        {words(maxShort), func(u *storage.User) *string { return &u.PostalCode }},
	"country":            {words(maxName), func(u *storage.User) *string { return &u.Country }},
}

// ChangeProfile sets what a user says of themselves: texts by the names of
// their fields, "" to say nothing. What is not named stays. Nothing is written
// or recorded if nothing becomes another.
func (s *Service) ChangeProfile(
	ctx context.Context, by audit.Actor, userID string, texts map[string]string,
) (*storage.User, error) {
	if err := s.mayChange(ctx, by, userID); err != nil {
		return nil, err
	}
	kept, err := parseProfile(texts)
	if err != nil {
		return nil, err
	}
	var user *storage.User
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if user, err = load(ctx, tx, userID); err != nil {
			return err
		}
		changed := apply(user, kept)
		if len(changed) == 0 {
			return nil
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.User, userID, changed...); err != nil {
			return err
		}
		if slices.Contains(changed, pictureField) {
			if err := dropPicture(ctx, tx, userID); err != nil {
				return err
			}
		}
		user.UpdatedAt = storage.At(now)
		if err := tx.SaveUser(ctx, user); err != nil {
			return fmt.Errorf("change the profile of %s: %w", userID, err)
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "user.update", TargetKind: "user", TargetID: userID,
			Details: map[string]string{"fields": strings.Join(changed, " ")},
		})
	})
	return user, err
}

// Profile returns what a user says of themselves, by the names of the fields.
func (s *Service) Profile(ctx context.Context, userID string) (map[string]string, error) {
	user, err := s.Find(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("read the profile of %s: %w", userID, err)
	}
	return ProfileOf(user), nil
}

// ProfileOf returns what a user that was read says of themselves.
func ProfileOf(user *User) map[string]string {
	out := make(map[string]string, len(profileFields))
	for name, field := range profileFields {
		out[name] = *field.at(user)
	}
	return out
}

// parseProfile returns texts as they are kept, or every problem there is.
func parseProfile(texts map[string]string) (map[string]string, error) {
	kept, problems := map[string]string{}, map[string][]string{}
	for name, text := range texts {
		field, known := profileFields[name]
		if !known {
			problems[name] = []string{"Unknown field."}
			continue
		}
		text = strings.TrimSpace(text)
		if text == "" {
			kept[name] = ""
			continue
		}
		value, problem := field.parse(text)
		if problem != "" {
			problems[name] = []string{problem}
		}
		kept[name] = value
	}
	return kept, fault.Fields(problems)
}

// apply sets fields of u and returns the names of those that became another,
// in their order.
func apply(u *storage.User, kept map[string]string) (changed []string) {
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		if at := profileFields[name].at(u); *at != kept[name] {
			*at = kept[name]
			changed = append(changed, name)
		}
	}
	return changed
}

// mayChange lets a user through, for themselves, and whoever administers.
func (s *Service) mayChange(ctx context.Context, by audit.Actor, userID string) error {
	if by.Kind == audit.User && by.ID == userID {
		return nil
	}
	return s.mayAdminister(ctx, by)
}

// words accepts text of at most most characters, on one line.
func words(most int) func(text string) (kept, problem string) {
	return func(text string) (kept, problem string) {
		switch {
		case utf8.RuneCountInString(text) > most:
			return "", fmt.Sprintf("Longer than maximum length %d.", most)
		case !utf8.ValidString(text) || audit.Cut(text, len(text)) != text:
			return "", "Not a valid string."
		}
		return text, ""
	}
}

// webAddress accepts the address of a page or picture on the web. It is shown
// in browsers: no scheme but the web's, and nobody's password in it.
func webAddress(text string) (kept, problem string) {
	if len(text) > maxURL {
		return "", fmt.Sprintf("Longer than maximum length %d.", maxURL)
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil ||
		!isHost(strings.ToLower(u.Hostname())) || !strings.Contains(u.Hostname(), ".") {
		return "", "Not a valid URL."
	}
	return u.String(), ""
}

var birthdateForm = regexp.MustCompile(`^\d{4}(-\d\d-\d\d)?$`)

// birthdate accepts a day, a day of year 0000, which tells no year, or a year
// (OpenID Connect Core 1.0, section 5.1).
func birthdate(text string) (kept, problem string) {
	const wrong = "Not a valid date. Give YYYY-MM-DD, YYYY, or 0000-MM-DD to leave the year out."
	if !birthdateForm.MatchString(text) || text == "0000" {
		return "", wrong
	}
	day, err := time.Parse("2006-01-02"[:len(text)], text)
	if err != nil || day.After(steady.Now()) {
		return "", wrong
	}
	return text, ""
}

var (
	phoneForm   = regexp.MustCompile(`^\+[1-9]\d{6,14}$`)
	phoneSpaces = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "", "/", "")
)

// phoneNumber accepts a number with its country, and keeps it as E.164.
func phoneNumber(text string) (kept, problem string) {
	number := phoneSpaces.Replace(text)
	if !phoneForm.MatchString(number) {
		return "", "Not a valid phone number. Begin with + and the country, as in +41 44 668 18 00."
	}
	return number, ""
}

// locale accepts a language tag and keeps its usual spelling.
func locale(text string) (kept, problem string) {
	tag, err := language.Parse(text)
	if err != nil || tag.IsRoot() || len(text) > maxShort {
		return "", "Not a valid language, such as en or de-CH."
	}
	return tag.String(), ""
}

var zoneForm = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)

// zone accepts what has the form of a name of the IANA database. Whether there
// is such a zone is not looked up: not every machine has the database, and
// those that have it have different ones.
func zone(text string) (kept, problem string) {
	if text != "Local" && len(text) <= maxShort && zoneForm.MatchString(text) {
		return text, ""
	}
	return "", "Not a valid time zone, such as Europe/Zurich."
}
