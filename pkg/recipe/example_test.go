package recipe_test

import (
	"fmt"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// A configuration file is made of the case's block and of what the recipe adds; they are merged as data.
func ExampleFile_Render() {
	f := recipe.File{Path: "worker.yaml", YAML: &recipe.Document{
		Defaults: "backend: pytorch",
		Merge:    []string{"!yaml '{{.Worker}}'", "{host: '{{.Host}}', ranks: !yaml '{{.Ranks}}'}"},
	}}
	data := recipe.Data{
		Role: roles.Role{Kind: roles.Gen}, Host: "10.0.0.7", Ranks: 8,
		Case: roles.Case{WorkerConfig: map[roles.Kind]string{roles.Gen: "{max_batch_size: 64}"}},
	}
	text, err := f.Render(data)
	fmt.Print(text, err, "\n\n")

	data.Case.WorkerConfig[roles.Gen] = "{host: 10.0.0.1}"
	_, err = f.Render(data)
	fmt.Println(err)
	// Output:
	// max_batch_size: 64
	// host: "10.0.0.7"
	// ranks: 8
	// backend: "pytorch"
	// <nil>
	//
	// worker.yaml: host: is given by the case ({{.Worker}}) and by the recipe: remove it from one of them
}

// An element of a command is one argument, or none, or words.
func ExampleRenderArgs() {
	args := []recipe.Arg{
		{Text: "{{.Values.serve}}"}, {Text: "{{if .Case.NUMABind}}--bind{{end}}"},
		{Words: `--name "a b" --ranks {{.Ranks}}`},
	}
	data := recipe.Data{Values: map[string]string{"serve": "my serve"}, Ranks: 2}
	argv, err := recipe.RenderArgs("command", args, data)
	fmt.Printf("%q %v\n", argv, err)
	// Output:
	// ["my serve" "--name" "a b" "--ranks" "2"] <nil>
}
