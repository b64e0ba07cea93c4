//go:build !cgo

package demo

const haveCgo = false
