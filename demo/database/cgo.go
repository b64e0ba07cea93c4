//go:build cgo

package database

const haveCgo = true
