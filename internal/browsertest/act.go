package browsertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Step is one step of a visitor.
type Step func(ctx context.Context, tab *Tab) error

// Navigate loads a page and waits until it is complete.
func Navigate(url string) Step {
	return func(ctx context.Context, tab *Tab) error {
		var answer struct {
			ErrorText string `json:"errorText"`
		}
		if err := tab.call(ctx, "Page.navigate", params{"url": url}, &answer); err != nil {
			return err
		}
		if answer.ErrorText != "" {
			return fmt.Errorf("load %s: %s", url, answer.ErrorText)
		}
		return Becomes(`document.readyState === "complete"`)(ctx, tab)
	}
}

// Reload loads the page again and waits until it is complete.
func Reload() Step {
	return func(ctx context.Context, tab *Tab) error {
		if err := Run(`window.beforeReload = true`)(ctx, tab); err != nil {
			return err
		}
		if err := tab.call(ctx, "Page.reload", nil, nil); err != nil {
			return err
		}
		return Becomes(`!window.beforeReload && document.readyState === "complete"`)(ctx, tab)
	}
}

// Run runs a script on the page.
func Run(script string) Step {
	return func(ctx context.Context, tab *Tab) error {
		_, err := evaluate[struct{}](ctx, tab, script)
		return err
	}
}

// Keys presses a key for each character of the text. "\r" is the Enter key, "\t" the Tab key.
func Keys(text string) Step {
	return func(ctx context.Context, tab *Tab) error {
		for _, r := range text {
			key := params{"text": string(r), "key": string(r)}
			switch r {
			case '\r':
				key = params{"text": "\r", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
			case '\t':
				key = params{"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
			}
			for _, key["type"] = range []string{"keyDown", "keyUp"} {
				if err := tab.call(ctx, "Input.dispatchKeyEvent", key, nil); err != nil {
					return err
				}
				delete(key, "text") // the second event, keyUp, has none
			}
		}
		return nil
	}
}

// Click clicks an element.
func Click(selector string) Step {
	return act("click", selector, `el.focus({preventScroll: true}); el.click()`)
}

// DoubleClick clicks an element twice, before the page can react.
func DoubleClick(selector string) Step {
	return act("double-click", selector, `el.focus({preventScroll: true}); el.click(); el.click()`)
}

// Fill replaces the text of a field.
func Fill(selector, text string) Step {
	return act("fill", selector, `el.focus({preventScroll: true}); el.value = `+quote(text)+`;
		for (const type of ["input", "change"]) el.dispatchEvent(new Event(type, {bubbles: true}))`)
}

// Submit sends the form of a field, as the Enter key does in that field.
func Submit(selector string) Step {
	return act("submit the form of", selector, `el.form.requestSubmit(el.form.querySelector("button:not([type]), [type=submit]"))`)
}

// act waits until the first element that matches is visible, enabled and not covered
// by another, and runs a statement on it. It finds the element and acts on it in one
// evaluation, so that the page cannot replace the element in between.
func act(verb, selector, statement string) Step {
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

// Becomes waits until a JavaScript expression is true.
func Becomes(expression string) Step {
	return until(`(`+expression+`) ? "" : "false"`, expression)
}

// Visible waits until a text is on the page, and the page is complete.
func Visible(text string) Step {
	return Becomes(`document.readyState === "complete" && document.body.innerText.includes(` + quote(text) + `)`)
}

// Present waits until an element is on the page, and the page is complete.
func Present(selector string) Step {
	return Becomes(`document.readyState === "complete" && document.querySelector(` + quote(selector) + `) !== null`)
}

// until evaluates an expression again and again until its value is the empty string.
// Another value describes what is missing. An evaluation can fail while the browser
// loads the next page, so until retries after errors.
func until(expression, what string) Step {
	return func(ctx context.Context, tab *Tab) error {
		last := errors.New("no answer")
		for {
			missing, err := evaluate[string](ctx, tab, expression)
			switch {
			case err == nil && missing == "":
				return nil
			case err == nil:
				last = errors.New(missing)
			case ctx.Err() == nil:
				last = err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("waiting for %s: %w: %w", what, ctx.Err(), last)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

// quote returns a text as a JavaScript string.
func quote(text string) string {
	quoted, _ := json.Marshal(text) // it never fails for a string
	return string(quoted)
}
