package account

import (
	"context"
	"time"

	"authy/storage"
)

// maxExportLogouts is how many logouts an export holds at most.
const maxExportLogouts = 1000

// ExportLogouts is what applications hear, and have heard, of the end of
// sessions.
type ExportLogouts struct {
	Visits  []ExportVisit  `json:"visits" doc:"Applications that hear of the end of a session"`
	Logouts []ExportLogout `json:"logouts" doc:"What they were told, the newest first"`
}

// ExportVisit is an application that the user went to in a session.
type ExportVisit struct {
	SessionID  string    `json:"session_id"`
	ClientID   string    `json:"client_id" doc:"Of a SAML service, its entity ID"`
	ClientName string    `json:"client_name"`
	Subject    string    `json:"subject" doc:"Who I am to the application"`
	CreatedAt  time.Time `json:"created_at"`
}

// ExportLogout is what an application was told of the end of a session.
type ExportLogout struct {
	ExportVisit
	State       string     `json:"state"`
	Attempts    int64      `json:"attempts"`
	DeliveredAt *time.Time `json:"delivered_at" nullable:"true"`
}

func (e *exporter) visit(ctx context.Context, session, row, subject string, at storage.Time) (ExportVisit, error) {
	c, err := e.client(ctx, row)
	if err != nil {
		return ExportVisit{}, err
	}
	return ExportVisit{session, c.ClientID, c.Name, subject, at.Time}, nil
}

// serviceVisit is [exporter.visit] for a SAML service.
func (e *exporter) serviceVisit(ctx context.Context, session, row, subject string, at storage.Time) (ExportVisit, error) {
	s, err := e.db.Service(ctx, row)
	if err != nil {
		return ExportVisit{}, err
	}
	return ExportVisit{session, s.EntityID, s.Name, subject, at.Time}, nil
}

func (e *exporter) logouts(ctx context.Context) error {
	e.out.Visits, e.out.Logouts = []ExportVisit{}, []ExportLogout{}
	visits, err := e.db.VisitsOf(ctx, e.userID)
	if err != nil {
		return err
	}
	for _, v := range visits {
		one, err := e.visit(ctx, v.SessionID, v.ClientID, v.Subject, v.CreatedAt)
		if err != nil {
			return err
		}
		e.out.Visits = append(e.out.Visits, one)
	}
	services, err := e.db.ServiceVisitsOf(ctx, e.userID)
	if err != nil {
		return err
	}
	for _, v := range services {
		one, err := e.serviceVisit(ctx, v.SessionID, v.ServiceID, v.NameID, v.CreatedAt)
		if err != nil {
			return err
		}
		e.out.Visits = append(e.out.Visits, one)
	}
	logouts, err := e.db.Logouts(ctx, storage.LogoutFilter{UserID: e.userID}, "", maxExportLogouts)
	if err != nil {
		return err
	}
	for _, l := range logouts {
		look := e.visit
		if l.ServiceID != "" {
			look = e.serviceVisit
		}
		one, err := look(ctx, l.SessionID, l.Party(), l.Subject, l.CreatedAt)
		if err != nil {
			return err
		}
		e.out.Logouts = append(e.out.Logouts, ExportLogout{one, l.State, l.Attempts, moment(l.DeliveredAt)})
	}
	return nil
}
