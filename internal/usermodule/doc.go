// Package usermodule tests what a module that requires this one gets: its tests run
// the go command in a module of their own.
package usermodule
