package protocol

import "strings"

// Names of the environment variables that the two programs read or set.
const (
	EnvRole       = "DISAGG_SERVING_TYPE"
	EnvPlan       = "DISAGG_PLAN"
	EnvAttempt    = "DISAGG_ATTEMPT"
	EnvRank       = "DISAGG_RANK"
	EnvBatchStart = "DISAGG_BATCH_START"
	EnvInstalled  = "DISAGG_INSTALLED"
	EnvBatch      = "DISAGG_BATCH"
	EnvOrphanMark = "DISAGG_GUARD"
	EnvWrap       = "DISAGG_WRAP"

	EnvRecipe       = "DISAGG_RECIPE"
	EnvProfile      = "DISAGG_PROFILE"
	EnvCheckout     = "DISAGG_TRTLLM_DIR"
	EnvConfigFolder = "DISAGG_CONFIG_FOLDER"
)

// Variable describes an environment variable for the reference page.
type Variable struct {
	Name string
	// SetBy is "user" for those that people set, else the part of the tool that sets it.
	SetBy string
	// ReadBy is the program or part that reads it.
	ReadBy string
	Doc    string
}

// Variables lists every variable of the project, for the reference page.
func Variables() []Variable {
	return []Variable{
		{EnvRecipe, "user", "disagg-submit, disagg-agent by hand", "recipe, if --recipe is not given"},
		{EnvProfile, "user", "disagg-submit, disagg-agent by hand", "cluster profile, if --profile is not given"},
		{EnvCheckout, "user", "disagg-submit, disagg-agent by hand",
			"the engine's checkout, if --trtllm-dir is not given"},
		{EnvConfigFolder, "user", "disagg-submit, upstream's test",
			"folder in which a case's base name is looked up first; for the test it is the run's own copy of the case"},
		{EnvRole, "batch", "disagg-agent, upstream's test", "the role: GEN_<i>, CTX_<i>, DISAGG_SERVER or BENCHMARK"},
		{EnvPlan, "batch", "disagg-agent", "path of plan.json"},
		{EnvAttempt, "batch", "disagg-agent", "number of the attempt, from 0"},
		{EnvRank, "local launcher", "disagg-agent", "number of the rank in its role, where no scheduler tells it"},
		{EnvBatchStart, "batch", "BENCHMARK's agent", "when the batch script began, in seconds since the epoch"},
		{EnvInstalled, "batch", "BENCHMARK's agent", "when the nodes were prepared, in seconds since the epoch"},
		{EnvBatch, "batch", "BENCHMARK's agent",
			"the batch script's process: PID, start time and PID name space, joined by colons"},
		{EnvWrap, "disagg-agent by hand", "disagg-agent", "words that are put before the role's command (--wrap)"},
		{EnvOrphanMark, "disagg-agent", "its orphan reaper",
			"marks every process of one agent's tree; of nested agents, all marks"},
	}
}

// VariableFault tells, to be read after its name, why files may not give children a variable; "" if they may.
func VariableFault(name string) string {
	if !IsVariable(name) {
		return "is not a name of a variable"
	}
	for _, v := range Variables() {
		if v.Name == name && v.SetBy != "user" {
			return "is set by the tool and may not be given here"
		}
	}
	return ""
}

// IsVariable tells whether every shell takes a text for the name of a variable.
func IsVariable(name string) bool {
	return name != "" && (name[0] < '0' || name[0] > '9') && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}
