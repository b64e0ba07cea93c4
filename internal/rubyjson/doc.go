// Package rubyjson writes and reads JSON the way Ruby Resque does.
//
// Ruby removes jobs by comparing bytes (Resque.dequeue, remove_delayed, locks),
// so a value must be spelled exactly as Ruby spells it: no blanks, no HTML
// escapes, U+2028 as it is, 1.0 and 1.0e+20 for floats, every digit of a large
// integer. The model is json 2.6 without Rails; testdata holds what it wrote.
//
// [Append] and [AppendArgs] write. [ParsePayload] reads an element of a queue,
// [Valid] checks one; both leave the bytes as they are, because a payload moves
// between keys unchanged.
//
// What Append writes, beyond the obvious:
//
//   - Go structs, maps, slices, tags and marshalers work as in encoding/json.
//     Maps are sorted by key; Ruby's keep their order, so use a struct where
//     Ruby has to find the job by its bytes.
//   - A [time.Time] is what it is in encoding/json, RFC 3339, which Ruby's
//     Time.parse reads. Plain Ruby writes Time#to_s, from which Go would get no
//     time back and no fraction: pass that text as a string to match its bytes.
//   - NaN, infinities, text that is not UTF-8 and more than [MaxNesting] levels
//     are errors, as in Ruby. No reader would get them back.
//
// What is read is RFC 8259 and nothing more. Ruby's parser is laxer in four
// places (comments, the escape \x, a lone low surrogate, bytes that are not
// UTF-8). Those payloads are refused here, and the worker that pops one records
// it in the failed list with its text kept.
package rubyjson
