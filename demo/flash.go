package demo

import "net/http"

// A flash is a sentence for the next page only. The cookie carries its name, not
// its words, so that nobody can put words into our mouth.
const (
	flashCookie  = "goresque_demo_flash"
	flashCreated = "created"
)

func flashText(name string) string {
	if name == flashCreated {
		return "Your export is being created, please wait."
	}
	return ""
}

func setFlash(rw http.ResponseWriter, name string) {
	http.SetCookie(rw, &http.Cookie{
		Name: flashCookie, Value: name, Path: "/", MaxAge: 60, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// takeFlash is the flash's text, which is then gone.
func takeFlash(rw http.ResponseWriter, r *http.Request) string {
	cookie, err := r.Cookie(flashCookie)
	if err != nil {
		return ""
	}
	http.SetCookie(rw, &http.Cookie{
		Name: flashCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return flashText(cookie.Value)
}
