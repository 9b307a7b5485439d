package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// constant is a constant of a package.
type constant struct{ name, value, doc string }

// structure is a struct type of a package.
type structure struct {
	doc    string
	fields []field
}

// field is a field that can be written in a file, or used in a template.
type field struct{ name, typ, doc string }

// parse reads the source of a package, in the order of its files' names.
func parse(folder string) ([]*ast.File, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("cannot find source in %s: run this in the project's folder", folder)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(set, name, src, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// declarations calls use for every specification in the source of a package, with the comment of its group.
func declarations(folder string, use func(ast.Spec, string)) error {
	files, err := parse(folder)
	for _, f := range files {
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				for _, s := range g.Specs {
					use(s, g.Doc.Text())
				}
			}
		}
	}
	return err
}

// constants lists the constants of a type, in the order of the source; "": those without one. A constant that shares
// its comment with the one before has none.
func constants(folder, typ string) (list []constant, err error) {
	err = declarations(folder, func(s ast.Spec, _ string) {
		v, ok := s.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 || typeText(v.Type) != typ {
			return
		}
		doc := v.Comment.Text()
		if doc == "" {
			doc = v.Doc.Text()
		}
		if lit, ok := v.Values[0].(*ast.BasicLit); ok {
			list = append(list, constant{name: v.Names[0].Name, value: lit.Value, doc: doc})
		}
	})
	return list, err
}

// structs lists the struct types of a package by name.
func structs(folder string) (map[string]structure, error) {
	all := map[string]structure{}
	err := declarations(folder, func(s ast.Spec, doc string) {
		t, ok := s.(*ast.TypeSpec)
		if !ok {
			return
		}
		if st, ok := t.Type.(*ast.StructType); ok {
			all[t.Name.Name] = structure{doc: doc, fields: fields(st)}
		}
	})
	return all, err
}

func fields(st *ast.StructType) (list []field) {
	for _, f := range st.Fields.List {
		doc := f.Doc.Text()
		if c := f.Comment.Text(); doc == "" {
			doc = c
		}
		for _, n := range f.Names {
			if n.IsExported() && !isInline(f.Tag) {
				list = append(list, field{name: fieldName(n.Name, f.Tag), typ: typeText(f.Type), doc: doc})
			}
		}
	}
	return list
}

// isInline tells whether a field takes what no other does: it has no name in a file.
func isInline(tag *ast.BasicLit) bool { return tag != nil && strings.Contains(tag.Value, `:",inline`) }

// fieldName is how a file spells a field: by its tag, else, in a template, by its own name.
func fieldName(name string, tag *ast.BasicLit) string {
	if tag == nil {
		return name
	}
	text, err := strconv.Unquote(tag.Value)
	if err != nil {
		return name
	}
	for _, key := range []string{"yaml", "json"} {
		if n, _, _ := strings.Cut(reflect.StructTag(text).Get(key), ","); n != "" {
			return n
		}
	}
	return name
}

// written are types that a file writes in another form than their name says.
var written = map[string]string{
	"vars": "NAME=VALUE words", "jobTime": "time", "concurrency": "whole numbers", "block": "any YAML",
}

// typeText is a type as people read it.
func typeText(t ast.Expr) string {
	switch t := t.(type) {
	case nil:
		return ""
	case *ast.Ident:
		return cmp.Or(written[t.Name], t.Name)
	case *ast.StarExpr:
		return typeText(t.X)
	case *ast.SelectorExpr:
		name := strings.ToLower(t.Sel.Name)
		return cmp.Or(written[name], name)
	case *ast.ArrayType:
		return "list of " + typeText(t.Elt)
	case *ast.MapType:
		return "map of " + typeText(t.Key) + " to " + typeText(t.Value)
	}
	return "structure"
}
