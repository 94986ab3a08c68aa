package web

import (
	"strings"

	"authy/server/words"
)

// browserName tells a person, in their language, which browser a User-Agent header
// speaks of. The order matters: most of them also name the one they descend from.
func browserName(l *words.Language, agent string) string {
	name := first(agent, "", []string{
		"Edg/", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "CriOS/", "Chrome", "Chrome/", "Chrome",
		"Safari/", "Safari", "curl/", "curl", "Go-http-client/", msg("a Go program"), "python", msg("a Python program"),
	})
	system := first(agent, "", []string{
		"iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "Mac OS X", "macOS",
		"CrOS", "ChromeOS", "Linux", "Linux",
	})
	switch {
	case name == "" && system == "":
		return l.Say(msg("Unknown program"))
	case system == "":
		return l.Say(name)
	case name == "":
		return l.Say(msg("Unknown browser on %s"), system)
	}
	return l.Say(msg("%s on %s"), l.Say(name), system)
}

// first returns the name that follows the first mark found in agent; pairs
// alternates marks and names.
func first(agent, fallback string, pairs []string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if strings.Contains(agent, pairs[i]) {
			return pairs[i+1]
		}
	}
	return fallback
}
