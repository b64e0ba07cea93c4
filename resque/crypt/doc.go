// Package crypt encrypts the arguments of jobs. The payload stays a valid job of Resque: its
// class and queue can be read, and its arguments are one object:
//
//	{"class":"Mailer","args":[{"_encrypted":"v1","key":"2026-01","data":"…"}]}
//
// data is base64 of a nonce of 12 bytes, the ciphertext of the JSON of the arguments, and a
// tag of 16 bytes, by AES-256-GCM with the class as additional data. So arguments cannot be
// moved to a job of another class. docs/encryption.md has the Ruby code that decrypts them.
//
// A [Box] is a setting of a class, or middleware of a client and a mux.
package crypt
