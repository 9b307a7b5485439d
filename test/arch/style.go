package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"unicode/utf8"
)

// writes are the functions of package os that change a file system.
var writes = []string{
	"WriteFile", "Create", "CreateTemp", "OpenFile", "Mkdir", "MkdirAll", "MkdirTemp", "Rename", "Remove", "RemoveAll",
	"Symlink", "Link",
	"Chmod", "Truncate",
}

// mayWrite are packages that write elsewhere than in a run directory, and why.
var mayWrite = map[string]string{
	"pkg/rundir":          "the writer of run directories",
	"pkg/atomicfile":      "what rundir writes with",
	"pkg/upload/sqlite":   "its database",
	"pkg/upload/dir":      "its folder",
	"pkg/upload/parquet":  "its folder",
	"pkg/notice/post":     "its outbox in the user's data folder",
	"pkg/scheduler/local": "notes in the temporary folder",
	"pkg/batch":           "a verdict that the run directory does not take, in the temporary folder",
	"pkg/preflight":       "whether a run directory can be written is what it checks",
}

// oneWriter: one package writes run directories.
func oneWriter(files []file) []string { return uses(files, writes, mayWrite, "only rundir writes") }

// uses finds what packages below pkg use of package os that only those may which are listed.
func uses(files []file, names []string, allowed map[string]string, advice string) (broken []string) {
	for _, f := range files {
		if _, may := allowed[f.folder]; may || !strings.HasPrefix(f.folder, "pkg/") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if name, ok := selected(n, "os"); ok && slices.Contains(names, name) {
				broken = append(broken, fmt.Sprintf("%s: os.%s: %s", f.at(n), name, advice))
			}
			return true
		})
	}
	return broken
}

// reads are the functions of package os that wait for a pipe in the place of a file that nobody writes to.
var reads = []string{"Open", "ReadFile"}

// mayRead are packages that read nothing that is anybody else's, and why.
var mayRead = map[string]string{
	"pkg/rundir":     "it lists folders, and has the function that refuses what is not a regular file",
	"pkg/atomicfile": "it makes folders durable",
	"pkg/supervisor": "the kernel's files",
	"pkg/preflight":  "the kernel's files",
	"pkg/upload":     "a password's file, which its user names",
}

// regularFiles: what is read of folders that others may write to is opened by rundir.OpenRegular.
func regularFiles(files []file) []string {
	return uses(files, reads, mayRead, "use rundir.OpenRegular")
}

// maySay are packages that may spell a scheduler's name: its own, and those that read what others
// write: upstream's files, and logs.
var maySay = []string{"pkg/scheduler/slurm", "pkg/perfsanity", "pkg/diagnose"}

// schedulerNames: the name and the variables of a scheduler stand in its own package. Comments are free.
func schedulerNames(files []file) (broken []string) {
	for _, f := range files {
		if !strings.HasPrefix(f.folder, "pkg/") || slices.Contains(maySay, f.folder) {
			continue
		}
		imports := map[string]bool{}
		for _, spec := range f.ast.Imports {
			imports[spec.Path.Value] = true
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && !imports[lit.Value] &&
				strings.Contains(strings.ToLower(lit.Value), "slurm") {
				broken = append(broken,
					fmt.Sprintf("%s: %s: only scheduler/slurm speaks of Slurm", f.at(lit), lit.Value))
			}
			return true
		})
	}
	return broken
}

// yamlImporters: one package reads YAML, so that all of it is read alike.
func yamlImporters(files []file) (broken []string) {
	for _, f := range files {
		for path, node := range f.imports() {
			if strings.Contains(path, "yaml.v3") && f.folder != "pkg/yamlfile" {
				broken = append(broken, f.at(node)+": only yamlfile imports a YAML library")
			}
		}
	}
	return broken
}

// documentation: every package and every exported name below pkg is documented.
func documentation(files []file) (broken []string) {
	documented := map[string]bool{}
	for _, f := range files {
		documented[f.folder] = documented[f.folder] || f.ast.Doc.Text() != ""
	}
	for folder, ok := range documented {
		if !ok {
			broken = append(broken, folder+": the package has no documentation")
		}
	}
	for _, f := range files {
		if !strings.HasPrefix(f.folder, "pkg/") {
			continue
		}
		for _, d := range f.ast.Decls {
			for _, name := range undocumented(d) {
				broken = append(broken, fmt.Sprintf("%s: %s has no documentation", f.at(d), name))
			}
		}
	}
	return broken
}

// undocumented lists the exported names of a declaration that have no comment. Members of a group share that of the
// group.
func undocumented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc.Text() == "" && exportedReceiver(d) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc.Text()+s.Doc.Text()+s.Comment.Text() == "" {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && d.Doc.Text()+s.Doc.Text()+s.Comment.Text() == "" {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

// exportedReceiver tells whether a function can be seen from outside: methods of a type that is not exported, or that
// only mark an interface, cannot.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if index, ok := t.(*ast.IndexExpr); ok {
		t = index.X
	}
	id, ok := t.(*ast.Ident)
	return ok && id.IsExported()
}

// Bounds of what a reader takes in at once.
const (
	mostColumns      = 120 // a tab counts four
	mostLines        = 500 // of a file that is no test
	mostFunctionSize = 80
)

// size: no line, file or function is too long.
func size(files []file) (broken []string) {
	for _, f := range files {
		if len(f.lines) > mostLines {
			broken = append(broken,
				fmt.Sprintf("%s/%s: %d lines: is there a second noun in it?", f.folder, f.name, len(f.lines)))
		}
		for i, l := range f.lines {
			if n := utf8.RuneCountInString(strings.ReplaceAll(l, "\t", "    ")); n > mostColumns {
				broken = append(broken, fmt.Sprintf("%s/%s:%d: %d columns", f.folder, f.name, i+1, n))
			}
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				from, to := f.set.Position(fn.Pos()).Line, f.set.Position(fn.End()).Line
				if to-from > mostFunctionSize {
					broken = append(broken, fmt.Sprintf("%s: %s has %d lines", f.at(fn), fn.Name.Name, to-from))
				}
			}
		}
	}
	return broken
}
