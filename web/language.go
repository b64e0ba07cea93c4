package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"

	tags "golang.org/x/text/language"
)

//go:embed languages/*.json
var languageFiles embed.FS

// language is a language of the pages. Texts in the code and the templates are in
// English. The other languages have a file of translations by the English text.
type language struct {
	Tag  string // for example pt-BR
	Name string // in the language itself

	thousands string             // between groups of digits
	decimal   string             // between a number and its fraction
	plural    func(n int64) bool // reports whether n takes the second of two forms
	texts     map[string]string  // by the English text; nil for English

	pages pages // with their texts in the language
}

// languages are the languages of the pages, English first. Answers to programs are
// always in English.
type languages struct {
	all     []*language
	matcher tags.Matcher
}

// fromOne is the plural of English: 0 files, 1 file.
func fromOne(n int64) bool { return n != 1 }

// fromTwo is the plural of French: 0 fichier, 1 fichier.
func fromTwo(n int64) bool { return n > 1 }

func loadLanguages(a *assets) (*languages, error) {
	l := &languages{all: []*language{
		{Tag: "en", Name: "English", thousands: ",", decimal: ".", plural: fromOne},
		{Tag: "de", Name: "Deutsch", thousands: ".", decimal: ",", plural: fromOne},
		{Tag: "es", Name: "Español", thousands: ".", decimal: ",", plural: fromOne},
		{Tag: "fr", Name: "Français", thousands: "\u202f", decimal: ",", plural: fromTwo},
		{Tag: "ja", Name: "日本語", thousands: ",", decimal: ".", plural: func(int64) bool { return true }},
		{Tag: "pt-BR", Name: "Português (Brasil)", thousands: ".", decimal: ",", plural: fromTwo},
	}}
	known := make([]tags.Tag, len(l.all))
	for i, lang := range l.all {
		known[i] = tags.Make(lang.Tag)
		var err error
		if lang.pages, err = pagesOf(a, lang); err != nil {
			return nil, err
		}
		if i == 0 { // English is in the code and the templates
			continue
		}
		data, err := languageFiles.ReadFile("languages/" + lang.Tag + ".json")
		if err == nil {
			err = json.Unmarshal(data, &lang.texts)
		}
		if err != nil {
			return nil, fmt.Errorf("web: reading the language %s: %w", lang.Tag, err)
		}
	}
	l.matcher = tags.NewMatcher(known)
	return l, nil
}

// of returns the language that the user chose, or else the best for the browser.
func (l *languages) of(q *request) *language {
	if q.wantsJSON() {
		return l.all[0]
	}
	if c, err := q.Cookie(languageCookie); err == nil {
		if lang, ok := l.find(c.Value); ok {
			return lang
		}
	}
	wanted, _, _ := tags.ParseAcceptLanguage(q.Header.Get("Accept-Language")) // without those that do not exist
	_, i, _ := l.matcher.Match(wanted...)
	return l.all[i]
}

func (l *languages) find(tag string) (*language, bool) {
	for _, lang := range l.all {
		if lang.Tag == tag {
			return lang, true
		}
	}
	return nil, false
}

// english marks a text that is translated later, when a page shows it.
func english(text string) string { return text }

// t returns a text with args in the language. The English text is the key. On a nil
// language it is English.
func (l *language) t(text string, args ...any) string {
	if l != nil && l.texts[text] != "" {
		text = l.texts[text]
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// tn is t for a number of things. forms has the singular and the plural, as in "1
// job|%s jobs".
func (l *language) tn(forms string, n int64) string {
	plural := fromOne
	if l != nil && l.texts[forms] != "" {
		forms, plural = l.texts[forms], l.plural
	}
	form, several, two := strings.Cut(forms, "|")
	if two && plural(n) {
		form = several
	}
	if !strings.Contains(form, "%s") {
		return form
	}
	return fmt.Sprintf(form, l.num(n))
}

// scriptTexts returns the texts of the pages' script, as JSON.
func (l *language) scriptTexts() (string, error) {
	texts, err := json.Marshal(map[string]string{
		"ago": l.t("%s ago"), "due": l.t("in %s"), "overdue": l.t("%s late"),
		"updated": l.t("Updated %s."), "late": l.t("No update since %s. Retrying in %s s."),
		"dialog": l.t("Not updating while a dialog is open."), "rows": l.t("Not updating while rows are selected."), "field": l.t("Not updating while a field is in use."),
		"select": l.t("Select at least one row first."), "copied": l.t("Copied."), "unsent": l.t("The request could not be sent. Try again."),
	})
	if err != nil {
		return "", fmt.Errorf("encoding the texts of the script: %w", err)
	}
	return string(texts), nil
}

// num formats a number with a mark between the thousands.
func (l *language) num(n any) string {
	mark := ","
	if l != nil {
		mark = l.thousands
	}
	text := fmt.Sprint(n)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + mark + text[i:]
	}
	return sign + text
}

// figure returns a number with its unit, such as "1,234.5 ms", as the language writes it.
func (l *language) figure(text string) string {
	return strings.NewReplacer(",", l.thousands, ".", l.decimal).Replace(text)
}

// stat returns a value of the statistics: whole numbers as the language writes them.
func (l *language) stat(text string) string {
	if strings.Trim(text, "0123456789,") != "" {
		return text
	}
	return l.figure(text)
}
