package browsertest

import (
	"encoding/json"
	"fmt"

	"github.com/chromedp/chromedp"
)

// Click clicks an element.
func Click(selector string) chromedp.Action[chromedp.Void] {
	return act("click", selector, `el.focus({preventScroll: true}); el.click()`)
}

// DoubleClick clicks an element twice, before the page can react.
func DoubleClick(selector string) chromedp.Action[chromedp.Void] {
	return act("double-click", selector, `el.focus({preventScroll: true}); el.click(); el.click()`)
}

// Fill replaces the text of a field.
func Fill(selector, text string) chromedp.Action[chromedp.Void] {
	return act("fill", selector, `el.focus({preventScroll: true}); el.value = `+quote(text)+`;
		for (const type of ["input", "change"]) el.dispatchEvent(new Event(type, {bubbles: true}))`)
}

// Submit sends the form of a field, as the Enter key does in that field.
func Submit(selector string) chromedp.Action[chromedp.Void] {
	return act("submit the form of", selector, `el.form.requestSubmit(el.form.querySelector("button:not([type]), [type=submit]"))`)
}

// act waits until the first element that matches is visible, enabled and not covered
// by another, and runs a statement on it. It finds the element and acts on it in one
// evaluation, so that the page cannot replace the element in between.
func act(verb, selector, statement string) chromedp.Action[chromedp.Void] {
	return until(`(() => {
		const el = document.querySelector(`+quote(selector)+`);
		if (document.readyState !== "complete") return "the page is loading";
		if (!el) return "no element matches";
		if (!el.checkVisibility({visibilityProperty: true})) return "it is not visible";
		if (el.matches(":disabled")) return "it is disabled";
		el.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
		const box = el.getClientRects()[0], top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
		if (!el.contains(top) && top?.closest("label")?.control !== el) return "it is covered by " + (top?.outerHTML.slice(0, 200) ?? "nothing");
		`+statement+`;
		return "";
	})()`, fmt.Sprintf("%s %s", verb, selector))
}

// quote returns a text as a JavaScript string.
func quote(text string) string {
	quoted, _ := json.Marshal(text) // it never fails for a string
	return string(quoted)
}
