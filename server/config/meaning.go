package config

// meanings says what each setting of the server is for, in the words of
// authy.example.toml.
var meanings = map[string]string{
	"listen":     "Where to accept connections, as host:port.",
	"public_url": "How browsers and clients reach authy, without a path; also the issuer of its tokens.",
	"data_dir":   "Where authy keeps its files, made readable by its own user only.",
	"trusted_proxies": "Addresses and ranges of the proxies whose X-Forwarded headers are believed, such as " +
		"[\"10.0.0.0/8\"].",
	"database.url": "sqlite:///path/to/authy.db or postgres://user:password@host:5432/name; empty is authy.db in " +
		"data_dir.",
	"database.snapshot": "Keeps what is in the database in data_dir/snapshots before an upgrade changes its schema, the last " +
		"three times, for 'authy migrate rollback'; false is logged as a risk.",
	"redis.url": "redis://host:6379/0, or rediss:// for TLS, where nodes count attempts; empty counts them in " +
		"the database.",
	"security.secret_key": "At least 32 characters that seal stored secrets, from \"openssl rand -hex 32\"; empty is " +
		"secret.key in data_dir, made at the first start.",
	"security.bcrypt_cost": "The work spent on each password, from 10 to 16 (from 4 on localhost); one more takes twice as " +
		"long.",
	"security.insecure_http": "Allows a public_url with http on a host other than localhost, where the network is trusted.",
	"rate_limit.unfinished": "How many are kept of what nobody has signed in for, of each kind: sign-ins that have begun, " +
		"challenges for passkeys, devices that wait, mails that strangers asked for. Beyond it the oldest of the network that " +
		"has most is dropped.",
	"rate_limit.enabled":        "Refuses requests beyond a limit, so that passwords cannot be guessed by trying.",
	"log.level":                 "The least that is written: debug, info, warn or error.",
	"log.format":                "How it is written: text, json, or auto for text on a terminal and json elsewhere.",
	"session.lifetime":          "How long people stay signed in, at most 9600h.",
	"session.remember_lifetime": "The same for those who ask to be remembered, at least as long.",
	"session.idle":              "How long a session may be left unused before it ends, at least 5s; 0s is as long as it lasts.",
	"openid.code_lifetime":      "How long an authorization code can be redeemed, at most 10m.",
	"openid.refresh_grace": "How long a replaced refresh token is still answered, for clients that lost the answer, at most " +
		"30s.",
	"openid.max_grant_lifetime": "How long after consent a client must ask again, however often it refreshed.",
	"openid.implicit": "Lets clients of the profile legacy be registered for the response types id_token and \"id_token " +
		"token\", whose tokens go through the address of the browser; logged as a risk.",
	"openid.registration": "Whether clients may register themselves (RFC 7591): off; token, for those that show one of " +
		"'authy client registration-token create'; or open, for anyone, which is logged as a risk.",
	"openid.registration_profile": "What clients that register themselves are held to: oauth2.1, or legacy for those that cannot do " +
		"PKCE, which is logged as a risk.",
	"keys.rotate_every": "How long a key signs tokens before the next one does, from 1h and publish_for to 87600h; 0s is " +
		"until it is replaced by hand.",
	"keys.publish_for":     "How long a key is published before it signs, for whoever keeps the keys, 10m to 720h.",
	"registration.enabled": "Lets anyone make an account for themselves.",
	"registration.uniform": "Answers the same whether an address has an account or not, and mails what comes next; needs " +
		"mail. Turn it on where it must not show who has an account.",
	"geoip.file": "A file in MaxMind's format, such as GeoLite2-City.mmdb, by which people are shown from where they are " +
		"signed in. It is read again when it changes, and nothing is asked of other hosts.",
	"mail.from":     "The sender, such as \"authy <noreply@example.com>\"; empty sends no mail.",
	"mail.host":     "The relay that mail is handed to.",
	"mail.port":     "Its port: 587 for starttls and 465 for implicit, as a rule.",
	"mail.username": "What to sign in to the relay with; empty does not sign in.",
	"mail.password": "The password for that.",
	"mail.tls":      "How the connection is kept private: starttls, implicit, or none on a trusted network.",
	"mail.ca_file":  "A PEM file of authorities that may have signed the relay's certificate, beside the system's.",
	"mail.timeout":  "How long the relay may take for a message, at most 5m.",
	"cors.origins": "Web pages of these origins may use the API, with tokens and never with cookies. Each is written " +
		"in full, such as \"https://app.example.com\"; there are no patterns.",
	"outbound.allow": "Ranges that are not public and that authy may reach all the same, for what clients have named " +
		"by URL: their keys, request objects, and where they are told of a logout. Such as " +
		"[\"10.1.0.0/16\"]; every host in them can be asked by whoever may register a client.",
	"state.file": "A file of users, organizations, clients and the rest, which is applied at the start and at SIGHUP: " +
		"docs/state.md tells what it can say. A mistake in it stops the start; at SIGHUP it changes nothing and is logged.",
	"state.prune": "Removes what the file has set before and says no more, without asking.",
	"tls.cert_file": "A PEM file of the certificate that authy shows by itself, followed by those that have signed it; " +
		"empty where a proxy sees to TLS. It is read again when it changes.",
	"tls.key_file": "Its key, in PEM too, which not everybody may read.",
	"server.max_connections": "How many connections may be open at once, from 100 to 1000000. One more takes the place of " +
		"the one that has waited longest, so that slow ones keep nobody out.",
	"server.drain_delay": "How long authy goes on answering after it was told to stop, while it says that it is not " +
		"ready: as long as a load balancer takes to notice, at most 5m.",
	"server.shutdown_grace": "How long running requests may take when authy stops, at most 10m.",
	"backup.dir":            "Where backups go; empty is backups in data_dir. Another disk is better. Installations may share it.",
	"backup.every": "How often one is made, from 10m; 0s is never. On several servers one of them makes it, so that all " +
		"of them need the same dir.",
	"backup.keep_last":   "How many of the latest backups are kept; what neither this nor the next two keep is removed.",
	"backup.keep_daily":  "For how many days the latest of a day is kept.",
	"backup.keep_weekly": "For how many weeks the latest of a week is kept.",
	"backup.recipient": "The public key, age1…, that they are encrypted to, from \"age-keygen -o backup.key\"; keep that file " +
		"on another machine.",
	"backup.passphrase": "At least 16 characters that they are encrypted with where recipient is empty.",
	"metrics.listen": "Where Prometheus finds /metrics, as host:port of its own, such as 127.0.0.1:9464; empty is on the " +
		"main address, if token_file is set, and nowhere else.",
	"metrics.token_file": "A file with the token, at least 16 characters, that Prometheus has to show; empty asks for none.",
	"backup.unencrypted": "Allows backups that whoever can read the file can read, without the secret key; logged as a " +
		"risk.",
}

// Meaning returns what the setting called key is for, in the words of
// authy.example.toml; "" for a setting of a provider, which docs/providers.md
// explains.
func Meaning(key string) string { return meanings[key] }
