package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"authy/server/logout"
)

// clientLogoutsPage is the data of page "admin_client_logouts".
type clientLogoutsPage struct {
	Head     clientHead
	Receipts []clientLogoutRow
	Pager    pagerView
	CLI      cliPart
}

// clientLogoutRow is what became of telling the client of a sign-out.
type clientLogoutRow struct {
	At        time.Time
	State     string // in a word to be translated
	Good, Bad bool
	Attempts  int
	Error     string
	User      string
	Email     string // "" of who is gone
}

func (wb *Web) showClientLogouts(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	c, err := wb.found(r, a)
	if err != nil {
		return err
	}
	after := askedKey(r.URL.Query().Get("after"))
	receipts, next, err := wb.Logouts.List(r.Context(), a.by, logout.Filter{ClientID: c.ClientID}, after, clientsOnPage)
	if err != nil && !errors.Is(err, logout.ErrNoClient) {
		return err
	}
	page := clientLogoutsPage{Head: a.headOf(r, c), CLI: cliOf("authy session logouts --client", c.ClientID)}
	ids := make([]string, len(receipts))
	for i, receipt := range receipts {
		ids[i] = receipt.UserID
	}
	slices.Sort(ids)
	// Without addresses the rows have ids.
	addresses, _ := wb.Accounts.Addresses(r.Context(), a.by, slices.Compact(ids))
	for _, receipt := range receipts {
		page.Receipts = append(page.Receipts, clientLogoutRow{
			At: receipt.CreatedAt.Time, State: clientLogoutState(receipt.State), Good: receipt.State == logout.Delivered,
			Bad: receipt.State == logout.Failed, Attempts: int(receipt.Attempts), Error: receipt.LastError, User: receipt.UserID,
			Email: addresses[receipt.UserID],
		})
	}
	here := page.Head.Path + "/sign-outs"
	if next != "" {
		page.Pager.Next = here + "?" + url.Values{"after": {next}}.Encode()
	}
	if after != "" {
		page.Pager.Back = here
	}
	a.page(w, r, http.StatusOK, "admin_client_logouts", c.Name, page)
	return nil
}

func clientLogoutState(state string) string {
	switch state {
	case logout.Sent:
		return msg("Being told")
	case logout.Retrying:
		return msg("Tried again soon")
	case logout.Delivered:
		return msg("Told")
	}
	return msg("Given up")
}
