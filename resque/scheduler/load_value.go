package scheduler

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/goresque/goresque/internal/pattern"
	"github.com/goresque/goresque/internal/rubyjson"
)

// What an entry may have at most, also by aliases that are used many times.
const (
	yamlDepth  = 90
	yamlValues = 100_000
	yamlBytes  = 1 << 20
)

// yamlWriter writes YAML values as the JSON that Ruby's Psych and json make of them.
type yamlWriter struct{ depth, values int }

// enter is called for each value. Call leave at its end.
func (w *yamlWriter) enter(n *yaml.Node, written int) error {
	w.depth++
	w.values++
	if w.depth > yamlDepth || w.values > yamlValues || written > yamlBytes {
		return &yamlError{n.Line, errors.New("the value is too large or nested too deeply")}
	}
	if tag := n.ShortTag(); n.Kind != yaml.ScalarNode && tag != "!!map" && tag != "!!seq" {
		return &yamlError{n.Line, fmt.Errorf("the tag %s is not supported", tag)}
	}
	return nil
}

func (w *yamlWriter) leave() { w.depth-- }

// yamlError is an error at a line.
type yamlError struct {
	line int
	err  error
}

func (e *yamlError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }

func (e *yamlError) Unwrap() error { return e.err }

func (w *yamlWriter) append(dst []byte, n *yaml.Node) ([]byte, error) {
	n = follow(n)
	defer w.leave()
	if err := w.enter(n, len(dst)); err != nil {
		return nil, err
	}
	switch n.Kind {
	case yaml.MappingNode:
		return w.mapping(dst, n)
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, item := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = w.append(dst, item); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	default:
		value, err := scalar(n)
		if err == nil {
			dst, err = rubyjson.Append(dst, value)
		}
		if err != nil {
			return nil, &yamlError{n.Line, err}
		}
		return dst, nil
	}
}

// pair is a member of a mapping.
type pair struct {
	key   string
	value *yaml.Node
}

func (w *yamlWriter) mapping(dst []byte, n *yaml.Node) ([]byte, error) {
	pairs, err := w.pairs(n, map[string]bool{})
	if err != nil {
		return nil, err
	}
	dst = append(dst, '{')
	for i, p := range pairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = rubyjson.AppendString(dst, p.key); err != nil {
			return nil, &yamlError{n.Line, err}
		}
		if dst, err = w.append(append(dst, ':'), p.value); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// pairs returns the members of a mapping, and then those that << merges, without those
// that are there already.
func (w *yamlWriter) pairs(n *yaml.Node, seen map[string]bool) (pairs []pair, err error) {
	defer w.leave()
	if err := w.enter(n, 0); err != nil {
		return nil, err
	}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), follow(n.Content[i+1])
		switch {
		case key.Kind != yaml.ScalarNode:
			return nil, &yamlError{key.Line, errors.New("a key is not a string")}
		case key.ShortTag() == "!!merge" && value.Kind == yaml.SequenceNode:
			merged = append(merged, value.Content...)
		case key.ShortTag() == "!!merge":
			merged = append(merged, value)
		default:
			name, err := keyText(key)
			if err != nil {
				return nil, &yamlError{key.Line, err}
			}
			if !seen[name] {
				seen[name] = true
				pairs = append(pairs, pair{name, value})
			}
		}
	}
	for _, m := range merged {
		m = follow(m)
		if m.Kind != yaml.MappingNode {
			return nil, &yamlError{n.Line, errors.New("<< must merge a mapping")}
		}
		more, err := w.pairs(m, seen)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, more...)
	}
	return pairs, nil
}

var (
	// yamlInteger is an integer with commas or underscores.
	yamlInteger = pattern.Pattern{Text: `^[-+]?(0|[1-9](,?_?[0-9])*)$`}
	// yamlBase60 is an integer such as 12:30, which is 45000.
	yamlBase60 = pattern.Pattern{Text: `^[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}$`}
	// yamlFloat is a float with a point, and a sign in its exponent.
	yamlFloat = pattern.Pattern{Text: `^[-+]?([0-9][0-9_,]*)?\.[0-9]*([eE][-+][0-9]+)?$`}
	yamlDate  = pattern.Pattern{Text: `^\d{4}-\d{1,2}-\d{1,2}$`}
	yamlTime  = pattern.Pattern{Text: `^(\d{4}-\d\d-\d\d)(?:[Tt]|\s+)(\d\d:\d\d:\d\d)(?:\.\d*)?\s*(Z|[-+]\d\d:?\d\d|)$`}
)

// keyText returns a key as JSON has it: the text of its value, so that an "on" without
// quotes is "true", as in Ruby.
func keyText(n *yaml.Node) (string, error) {
	value, err := scalar(n)
	if err != nil || value == nil {
		return "", err
	}
	return fmt.Sprint(value), nil
}

// scalar returns the value of a scalar.
//
// Ruby: Psych::ScalarScanner#tokenize.
func scalar(n *yaml.Node) (any, error) {
	text := n.Value
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return text, nil
	}
	switch strings.ToLower(text) {
	case "yes", "true", "on":
		return true, nil
	case "no", "false", "off":
		return false, nil
	}
	switch {
	case yamlInteger.Regexp().MatchString(text):
		return integer(strings.NewReplacer(",", "", "_", "").Replace(text), 10)
	case yamlBase60.Regexp().MatchString(text):
		return base60(strings.ReplaceAll(text, "_", "")), nil
	case strings.HasPrefix(text, ":") && len(text) > 1: // a symbol
		return strings.Trim(text[1:], `"`), nil
	case yamlTime.Regexp().MatchString(text):
		return timestamp(text)
	case strings.HasPrefix(text, "0o"): // not an integer in Ruby
		return text, nil
	}
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return nil, nil //nolint:nilnil // null
	case "!!str":
		return text, nil
	case "!!int":
		return integer(strings.ReplaceAll(text, "_", ""), 0)
	case "!!float":
		return float(text)
	case "!!timestamp":
		if !yamlDate.Regexp().MatchString(text) {
			return nil, fmt.Errorf("the time %q cannot be read; write it between quotes", text)
		}
		return text, nil
	default:
		return nil, fmt.Errorf("the tag %s is not supported", tag)
	}
}

func integer(text string, base int) (any, error) {
	n, ok := new(big.Int).SetString(text, base)
	if !ok {
		return nil, fmt.Errorf("invalid integer %q", text)
	}
	return n, nil
}

func float(text string) (any, error) {
	f, err := strconv.ParseFloat(strings.NewReplacer("_", "", ",", "").Replace(text), 64)
	switch {
	case err != nil, math.IsInf(f, 0), math.IsNaN(f):
		return nil, fmt.Errorf("%s cannot be an argument of a job", text)
	case !yamlFloat.Regexp().MatchString(text):
		return text, nil // not a float in Ruby
	default:
		return f, nil
	}
}

// base60 reads 12:30 and 12:30:00 as the same number of seconds.
func base60(text string) int64 {
	sign := int64(1)
	if strings.HasPrefix(text, "-") {
		sign = -1
	}
	var n int64
	unit := int64(3600)
	for part := range strings.SplitSeq(strings.TrimLeft(text, "+-"), ":") {
		digits, _ := strconv.ParseInt(part, 10, 64) // checked by yamlBase60
		n += digits * unit
		unit /= 60
	}
	return sign * n
}

// timestamp returns a time as Ruby's Time#to_s spells it.
func timestamp(text string) (string, error) {
	m := yamlTime.Regexp().FindStringSubmatch(text)
	zone := m[3]
	if len(zone) == len("+0000") {
		zone = zone[:3] + ":" + zone[3:]
	}
	at, err := time.Parse(time.RFC3339, m[1]+"T"+m[2]+cmp.Or(zone, "Z"))
	switch {
	case err != nil:
		return "", fmt.Errorf("invalid time %q", text)
	case zone == "Z":
		return at.Format("2006-01-02 15:04:05 UTC"), nil
	default:
		return at.Format("2006-01-02 15:04:05 -0700"), nil
	}
}
