package rubyjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Respell parses raw, one JSON value, and appends it as Ruby spells it after
// parsing: without spaces, with Ruby's escapes and floats, keys in their order.
// Integers stay exact. It returns an error if raw is not valid JSON or has a
// float that is out of range.
func Respell(dst, raw []byte) ([]byte, error) {
	if err := Valid(raw); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return respellValue(dst, d)
}

func respellValue(dst []byte, d *json.Decoder) ([]byte, error) {
	token, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("reading JSON again: %w", err)
	}
	switch token := token.(type) {
	case json.Delim:
		return respellAll(dst, d, token)
	case json.Number:
		return respellNumber(dst, string(token))
	default:
		return Append(dst, token)
	}
}

// respellAll appends the items or members up to the closing delimiter.
func respellAll(dst []byte, d *json.Decoder, open json.Delim) ([]byte, error) {
	dst = append(dst, byte(open))
	for first, key := true, open == '{'; d.More(); key = open == '{' && !key {
		switch {
		case first:
			first = false
		case open == '{' && !key:
			dst = append(dst, ':')
		default:
			dst = append(dst, ',')
		}
		var err error
		if dst, err = respellValue(dst, d); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("reading JSON again: %w", err)
	}
	return append(dst, byte(open)+2), nil // in ASCII, ] is [ plus 2, and } is { plus 2
}

func respellNumber(dst []byte, text string) ([]byte, error) {
	if text == "-0" {
		return append(dst, '0'), nil
	}
	if !strings.ContainsAny(text, ".eE") {
		return append(dst, text...), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, &EncodeError{Reason: "number " + text + " is out of range"}
	}
	return Append(dst, f)
}
