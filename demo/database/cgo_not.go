//go:build !cgo

package database

const haveCgo = false
