package main

import (
	"testing"

	"github.com/disagg/disagg/cmd/internal/commandtest"
)

func TestExamples(t *testing.T) { commandtest.Examples(t, app) }

func TestFlags(t *testing.T) { commandtest.Flags(t, app()) }
