// Package embed carries the files that authy needs while it runs, inside the program itself:
// the templates of the pages, the static files those pages ask for, the words of other languages,
// the migrations of the database, and the recipes of applications.
//
// It knows nothing of what is in them and does nothing with them. Whoever needs a tree parses,
// serves or applies it: package web the templates and the static files, package words the
// catalogues, package storage the migrations, package recipe the recipes.
//
// To read it, look at the directories beside this file; a new file in one of them is embedded
// without another line here.
package embed

import stdembed "embed"

// Templates holds the pages: templates/layout.html, which every page fills, templates/parts with
// what several pages share, and one file per page beside the layout.
//
//go:embed templates
var Templates stdembed.FS

// Static holds the style sheet, the script and the icons, under static/.
//
//go:embed static
var Static stdembed.FS

// Migrations holds the statements that build the schema, under migrations/.
//
//go:embed migrations/*.sql
var Migrations stdembed.FS

// Words holds the catalogues of the languages, under words/<language>/<area>.po.
//
//go:embed words
var Words stdembed.FS

// Recipes holds how well-known applications are set up, one file each, under recipes/.
//
//go:embed recipes/*.toml
var Recipes stdembed.FS
