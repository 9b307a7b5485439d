package caseflags

import (
	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/recipe"
)

// Completions are the values of the flags that both programs have.
func Completions() command.Completions {
	return command.Completions{
		"mode":    command.OneOf("e2e", "gen_only", "gen_only_no_context", "ctx_only"),
		"profile": command.OneOf(profile.Builtin()...), "recipe": command.OneOf(recipe.Builtin()...),
		"launcher": command.OneOf(launch.SchedulerNames()...),
	}
}
