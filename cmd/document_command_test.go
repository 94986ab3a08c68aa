package cmd

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"authy/server/importer/gatehouse/gatehousetest"
)

// exception is a command of a document that is not run as it stands there. Without instead it is
// not run at all; what it has authy do is held against the commands all the same.
type exception struct{ document, text, instead, why string }

// ours and elsewhere are why a command that is not authy's is not run.
const (
	ours      = "the repository's own, which builds or tests it: .ci/run does"
	elsewhere = "needs a program or a machine that no test has"
	terminal  = "asks at a terminal"
	toSQLite  = "no PostgreSQL at that address; storage tests copy and read one"
)

// exceptions are all that there are: one that fits no command any more fails.
var exceptions = []exception{
	{"README.md", "go run . serve", "", ours},
	{"README.md", "go build .", "", ours},
	{"README.md", `go build -trimpath -ldflags="-s -w" .`, "", ours},
	{
		"README.md", "./authy demo rp", "./authy demo rp --redirect-url http://localhost:$OTHER_PORT/auth/callback",
		"port 3000 may be in use",
	},
	{
		"README.md", "./authy serve --public-url https://id.example.com",
		"env AUTHY_SECURITY_BCRYPT_COST=12 ./authy serve --public-url https://id.example.com --data-dir elsewhere " +
			"--listen 127.0.0.1:$THIRD_PORT",
		"the other server has the port and the directory, and cheap passwords are for localhost",
	},
	{
		"README.md", `authy user create alice@example.com --name "Alice" --admin`,
		`authy user create alice@example.com --name "Alice" --admin --generate`, terminal,
	},
	{"README.md", "authy user panic bob@example.com", "authy user panic bob@example.com --yes", terminal},
	{
		"README.md", "authy import gatehouse --from postgres://gatehouse@db/gatehouse --dry-run",
		"authy import gatehouse --from sqlite://$HERE/gatehouse.db --dry-run", toSQLite,
	},
	{
		"README.md", "authy forward-auth check https://app.example.com/x --user bob@example.com",
		"authy forward-auth check https://app.example.com/x --user bob@example.com --config rules.toml",
		"with the proxy that rules need, and that is not there, doctor would have something to say",
	},
	{"README.md", "authy doctor", "authy doctor || test $? = 1", "no test reaches the provider that was added"},
	{
		"README.md", "authy doctor client acme-portal-001", "authy doctor client acme-portal-001 || test $? = 1",
		"the sample applications have no name that is known",
	},
	{"README.md", "authy migrate rollback", "", "asks at a terminal, and refuses while the server runs"},
	{
		"README.md", "authy migrate copy --to postgres://authy@db/authy", "",
		"refuses while the server runs; docs/operations.md has it stop",
	},
	{
		"docs/import.md", "authy import gatehouse --from sqlite:///srv/gatehouse/instance/db_file.db --dry-run",
		"authy import gatehouse --from sqlite://$HERE/gatehouse.db --dry-run", "no such directory here",
	},
	{
		"docs/import.md", "authy import gatehouse --from postgres://gatehouse@db/authy2 --dry-run",
		"authy import gatehouse --from sqlite://$HERE/gatehouse.db --dry-run", toSQLite,
	},
	{
		"docs/webhooks.md", "authy webhook add acme --url https://hooks.acme.com/authy --org acme-corp",
		"authy webhook add acme --url https://hooks.acme.com/authy", "there is no such organization",
	},
	{"docs/webhooks.md", "authy webhook test siem", "authy webhook test siem || test $? = 1", "no test reaches that receiver"},
	{"docs/install.md", `CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" .`, "", ours},
	{"docs/install.md", "bash .ci/release", "", ours},
	{
		"docs/install.md", "authy completion bash > /etc/bash_completion.d/authy",
		"authy completion bash > completion && bash -n completion", "nothing of the machine is written to",
	},
	{"docs/install.md", "authy man /usr/local/share/man/man1", "authy man man1", "nothing of the machine is written to"},
	{"docs/install.md", "docker build --tag authy .", "", elsewhere},
	{
		"docs/install.md", "docker run --read-only --volume authy:/data --publish 127.0.0.1:5000:5000 authy", "",
		elsewhere,
	},
	{
		"docs/install.md", "AUTHY_HOST=id.example.com docker compose --file docs/compose/sqlite.yaml up --detach", "",
		elsewhere,
	},
	{"docs/install.md", "docker compose --file docs/compose/sqlite.yaml logs authy", "", elsewhere},
	{"docs/contributing.md", "bash .ci/run", "", ours},
	{"docs/contributing.md", "bash .ci/run race", "", ours},
	{"docs/contributing.md", "bash .ci/run fuzz", "", ours},
	{
		"docs/operations.md", "authy admin recover alice@example.com",
		"authy user create alice@example.com --admin --generate && authy admin recover alice@example.com",
		"by then there is a second administrator",
	},
	{
		"docs/operations.md", "authy admin recover alice@example.com --create",
		"authy admin recover carol@example.com --create", "alice is there by then",
	},
	{"docs/operations.md", "authy user panic bob@example.com", "authy user panic bob@example.com --yes", terminal},
	{
		"docs/operations.md", "authy restore FILE --identity-file backup.key --dry-run",
		"mkdir new && (cd new && authy restore ../whole.backup --identity-file ../backup.key --dry-run)",
		"FILE is the reader's",
	},
	{
		"docs/operations.md", "authy restore FILE --identity-file backup.key",
		"(cd new && authy restore ../whole.backup --identity-file ../backup.key --yes)", "FILE is the reader's; " + terminal,
	},
	{"docs/operations.md", "systemctl stop authy", "", elsewhere},
	{"docs/operations.md", "systemctl start authy", "", elsewhere},
	{
		"docs/operations.md", "authy migrate copy --to postgres://authy@db/authy",
		"authy migrate copy --to sqlite://$HERE/copy.db", toSQLite,
	},
	{
		"docs/state.md", "authy plan state.toml", "authy plan state.toml || [ $? = 2 ]",
		"2 is that something would change: whom the file sets",
	},
	{
		"README.md", "authy plan state.toml", "authy plan state.toml || [ $? = 2 ]",
		"2 is that something would change: whom the file sets",
	},
	{
		"docs/saml.md", `authy provider add saml --slug acme-okta --name "Acme" --org acme-corp ` +
			"--metadata-url https://acme.okta.com/app/abc/sso/saml/metadata --domain acme-corp.com", "",
		"asks another server for its metadata",
	},
	{
		"docs/saml.md", "authy saml sp add --metadata https://cloud.example.com/saml/metadata --preset nextcloud",
		"authy saml sp add --metadata cloud.xml --preset nextcloud", "asks another server for its metadata",
	},
}

// foreign are programs of others, which the recipes have people run.
var foreign = []string{"forgejo", "gitea", "php", "pveum"}

// scene is what a document takes for granted.
type scene struct {
	before []string // commands
	files  func(r *reader)
	serve  bool
}

var seeded = scene{before: []string{"authy seed"}}

var scenes = map[string]scene{
	"README.md": {
		before: []string{"authy user create bob@example.com --no-password"},
		files: func(r *reader) {
			r.write("secret", "a secret of the provider\n")
			var logo bytes.Buffer
			if err := png.Encode(&logo, image.NewGray(image.Rect(0, 0, 48, 48))); err != nil {
				r.t.Fatal(err)
			}
			r.write("acme.png", logo.String())
			makeGatehouseFor(r)
			r.write("rules.toml", "trusted_proxies = [\"127.0.0.1\"]\n[[forward_auth]]\nhosts = [\"app.example.com\"]\nwho = [\"signed-in\"]\n")
		},
	},
	"docs/api.md":    {before: []string{"authy seed"}, serve: true},
	"docs/import.md": {files: makeGatehouseFor},
	"docs/openid.md": {before: []string{
		"authy seed", "authy client create --id gateway --name Gateway " +
			"--grant urn:ietf:params:oauth:grant-type:token-exchange",
	}},
	"docs/operations.md": {
		before: []string{
			"authy user create root@example.com --admin --generate", "authy user create bob@example.com --no-password",
			"authy backup --to whole.backup",
		},
		files: func(r *reader) {
			key, err := age.GenerateX25519Identity()
			if err != nil {
				r.t.Fatal(err)
			}
			r.write("backup.key", key.String()+"\n")
			r.write("authy.toml", fmt.Sprintf("[backup]\nrecipient = %q\n", key.Recipient()))
		},
	},
	"docs/providers.md": {
		before: []string{"authy seed"},
		files:  func(r *reader) { r.write("secret", "a secret of the provider\n") },
	},
	"docs/saml.md": {before: []string{"authy seed"}, files: func(r *reader) {
		r.write("cloud.xml", spMetadata("cloud"))
		r.write("metadata.xml", spMetadata("wiki"))
	}},
	"docs/state.md":        seeded,
	"docs/forward-auth.md": seeded,
}

// makeGatehouseFor makes the database of a Gatehouse.
func makeGatehouseFor(r *reader) {
	script, err := gatehousetest.Script("sqlite")
	if err == nil {
		err = execute("file:"+r.dir+"/gatehouse.db", script)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// spMetadata is the metadata of a SAML service.
func spMetadata(host string) string {
	return fmt.Sprintf(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://%[1]s.example.com/saml">
  <SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <AssertionConsumerService index="0" isDefault="true" Location="https://%[1]s.example.com/saml/acs"
      Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"/>
  </SPSSODescriptor>
</EntityDescriptor>`, host)
}

// generated is made from the help of the commands, and held against it: its examples are looked at
// and not run, since scripts in testdata run each command.
const generated = "docs/cli.md"

func TestEveryCommandOfADocumentWorks(t *testing.T) {
	t.Parallel()
	toRun := commandsToRun(t)
	fitted := map[*exception]bool{}
	for path, commands := range toRun {
		for _, c := range commands {
			fitted[exceptionFor(c)] = true
		}
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			follow(t, path, commands)
		})
	}
	for i := range exceptions {
		if e := &exceptions[i]; !fitted[e] || e.why == "" {
			t.Errorf("the exception for %q of %s fits no command, or has no reason: take it out", e.text, e.document)
		}
	}
}

// commandsToRun holds every command of every document against what there is, and returns those to
// be run by their documents, in their order. The recipes, with a command each, are one document.
func commandsToRun(t *testing.T) map[string][]command {
	t.Helper()
	functions := sourceOf(t).functions
	found, seen := map[string][]command{}, 0
	for _, d := range documents(t) {
		path := d.path
		if strings.HasPrefix(path, "docs/apps/") {
			path = "docs/apps"
		}
		for _, b := range d.blocks() {
			if !b.isShell() || d.path == generated && !b.fenced { // how a command is called
				continue
			}
			for _, c := range b.commands() {
				seen++
				if c.isRun(t, functions) {
					found[path] = append(found[path], c)
				}
			}
		}
	}
	if seen < 400 {
		t.Errorf("%d commands, want many", seen)
	}
	return found
}

// isRun holds a command against what there is, and says whether it is to be run, too.
func (c command) isRun(t *testing.T, functions map[string][]string) bool {
	t.Helper()
	name, words := c.program()
	switch {
	case name == "authy":
		if wrong := misreadWords(words[1:]); wrong != "" {
			t.Errorf("%s:%d: %s: %s", c.document, c.line, c.text, wrong)
			return false
		}
		return c.document != generated
	case c.document == generated:
		return false
	case name == "go" && words[1] == "test":
		if wrong := testsNothing(words[2:], functions); wrong != "" {
			t.Errorf("%s:%d: %s: %s", c.document, c.line, c.text, wrong)
		}
		return false
	case slices.Contains(foreign, name) && strings.HasPrefix(c.document, "docs/apps/"):
		return false
	}
	return true
}

// exceptionFor returns the one for a command, nil for none.
func exceptionFor(c command) *exception {
	for i := range exceptions {
		if e := &exceptions[i]; e.document == c.document && e.text == c.text {
			return e
		}
	}
	return nil
}

// follow does what a document says, in its order.
func follow(t *testing.T, path string, commands []command) {
	t.Helper()
	s := scenes[path]
	r := newReader(t, "AUTHY_SECURITY_BCRYPT_COST=4")
	if s.files != nil {
		s.files(r)
	}
	for _, text := range s.before {
		r.mustRun(text)
	}
	if s.serve {
		if err := r.start("authy serve", r.url+"/api/ready"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range commands {
		text := strings.ReplaceAll(c.text, "http://localhost:5000", r.url)
		if e := exceptionFor(c); e != nil {
			if text = e.instead; text == "" {
				continue
			}
		}
		if strings.HasPrefix(text, "curl ") && !hasCurl(t) {
			continue
		}
		printed, err := r.do(text)
		if err != nil {
			t.Errorf("%s:%d: %s: %v\n%s", c.document, c.line, text, err, printed)
		}
	}
}

// hasCurl says whether curl is there to be run; AUTHY_TEST_REQUIRE can want it.
func hasCurl(t *testing.T) bool {
	t.Helper()
	_, err := exec.LookPath("curl")
	if err != nil && slices.Contains(strings.Split(os.Getenv("AUTHY_TEST_REQUIRE"), ","), "curl") {
		t.Fatal("curl is required, and not installed")
	}
	return err == nil
}

var otherPort = regexp.MustCompile(`\$(OTHER|THIRD)_PORT`)

// do runs a command; what serves is started, and goes on.
func (r *reader) do(text string) (printed string, err error) {
	_, words := command{text: text}.program()
	if len(words) < 2 || words[1] != "serve" && words[1] != "demo" {
		return r.run(text)
	}
	url := r.url
	if port := otherPort.FindString(text); port != "" {
		url = "http://localhost:" + r.variable(port[1:])
	}
	if words[1] == "serve" {
		url += "/api/ready"
	}
	return "", r.start(text, url)
}

// variable returns one of the environment.
func (r *reader) variable(name string) string {
	for _, one := range r.env {
		if value, ok := strings.CutPrefix(one, name+"="); ok {
			return value
		}
	}
	return ""
}
