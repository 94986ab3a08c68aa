package importer

import (
	"authy/server/account"
	"authy/server/org"
)

// claim is what a record of the source says it is: its id, and its name, which is unique,
// as it is there and as it would be here, "" if it cannot be.
type claim struct{ id, name, here string }

// rivals says of each of some claims why it cannot come beside the others, or "". Ids and
// names that differ there may be one here: nobody gets what is another's by that. Of those
// with one name the one that is spelled as here comes, and none if there is no such.
func rivals(claims []claim) []string {
	ids, names, exact := map[string]int{}, map[string]int{}, map[string]bool{}
	for _, c := range claims {
		ids[c.id]++
		names[c.here]++
		exact[c.here] = exact[c.here] || c.name == c.here
	}
	reasons := make([]string, len(claims))
	for i, c := range claims {
		switch {
		case c.id != "" && ids[c.id] > 1:
			reasons[i] = "another there has this id in another spelling, and whose is what cannot be told: give one of " +
				"them an id of its own, and import again"
		case c.here == "" || names[c.here] == 1 || exact[c.here] && c.name == c.here:
		case exact[c.here]:
			reasons[i] = "another there is spelled " + c.here + ", which this would be here: change one of the two, and " +
				"import again"
		default:
			reasons[i] = "several there would be " + c.here + " here: change all but one, and import again"
		}
	}
	return reasons
}

func userClaims(users []User) []claim {
	claims := make([]claim, len(users))
	for i := range users {
		email, _ := account.ParseEmail(users[i].Email) // "" says why it does not come
		claims[i] = claim{users[i].ID, users[i].Email, email}
	}
	return claims
}

func orgClaims(orgs []Organization) []claim {
	claims := make([]claim, len(orgs))
	for i := range orgs {
		claims[i] = claim{orgs[i].ID, orgs[i].Slug, org.SlugOf(orgs[i].Slug)}
	}
	return claims
}

func clientClaims(drafts []draft) []claim {
	claims := make([]claim, len(drafts))
	for i := range drafts {
		claims[i] = claim{drafts[i].ID, drafts[i].ClientID, drafts[i].ClientID}
	}
	return claims
}
