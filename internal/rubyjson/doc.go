// Package rubyjson writes and reads JSON the way Ruby Resque does.
//
// Ruby removes jobs by comparing bytes (Resque.dequeue, remove_delayed, locks),
// so a value must be spelled exactly as Ruby spells it: no spaces, no HTML
// escapes, U+2028 unescaped, floats as 1.0 and 1.0e+20, every digit of a large
// integer. The default spelling is that of json 2.6 without Rails; testdata holds
// its recorded output.
//
// [Append] and [AppendArgs] write values. [ParsePayload] reads an element of a
// queue, and [Valid] checks one. Neither changes the bytes, because a payload
// moves between keys unchanged.
//
// Details of what Append writes:
//
//   - Go structs, maps, slices, tags and marshalers work as in encoding/json.
//     Maps are sorted by key. Ruby's hashes keep their order, so use a struct if
//     Ruby has to find the job by its bytes.
//   - A [time.Time] is written in RFC 3339, as in encoding/json; Ruby's
//     Time.parse reads it. Plain Ruby writes Time#to_s, which has no fraction and
//     which time.Time cannot unmarshal: to match its bytes, pass that text as a
//     string.
//   - NaN, infinities, text that is not UTF-8 and more than [MaxNesting] levels
//     are errors, as in Ruby, because readers reject them.
//
// The parser accepts RFC 8259 only. Ruby's parser also accepts comments, the
// escape \x, a lone low surrogate and bytes that are not UTF-8. This package
// refuses payloads with any of those four; the worker that pops one records it in
// the failed list and keeps its text.
package rubyjson
