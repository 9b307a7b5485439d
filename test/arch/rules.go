// Package arch checks the architecture: which package may know which, what a package that decides may not touch, who
// writes a run directory, where a scheduler's names may stand, and that everything has its documentation.
//
// Rules:
//   - A rule is a function from the parsed source to what breaks it. The test runs every rule over the project, and
//     over a mutation that must break it: a rule that cannot fail is none.
//   - An exception stands in a list here, with its reason.
package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/disagg/disagg/"

// kind is what a package may do.
type kind int

const (
	describe kind = iota + 1 // vocabulary, and everything that crosses a process boundary or lands in a file
	decide                   // pure: input and state in, state and effects out
	do                       // performs effects
)

// kinds says of every package below pkg what it may do. A new package is listed here.
var kinds = map[string]kind{
	"pkg/roles": describe, "pkg/protocol": describe, "pkg/version": describe, "pkg/yamlfile": describe,
	"pkg/shellwords": describe, "pkg/lazyregexp": describe, "pkg/spelling": describe,

	"pkg/perfsanity": decide, "pkg/recipe": decide, "pkg/profile": decide, "pkg/profile/clusters": decide,
	"pkg/plan": decide, "pkg/results": decide,
	"pkg/report": decide, "pkg/report/chart": decide, "pkg/testlist": decide, "pkg/stats": decide,
	"pkg/stats/percentile": decide, "pkg/steptime": decide, "pkg/regression": decide, "pkg/compare": decide,
	"pkg/pairs": decide, "pkg/imported": decide, "pkg/telemetry": decide, "pkg/telemetry/prom": decide,
	"pkg/notice": decide, "pkg/diagnose": decide, "pkg/known": decide, "pkg/doctor": decide,
	"pkg/decide": decide, "pkg/decide/liveness": decide, "pkg/decide/rank": decide, "pkg/decide/steps": decide,
	"pkg/decide/session": decide, "pkg/decide/watch": decide, "pkg/runs": decide, "pkg/logs": decide,
	"pkg/progressbar": decide, "pkg/live": decide, "pkg/gpu": decide, "pkg/exposition": decide,

	"pkg/agent": do, "pkg/atomicfile": do, "pkg/batch": do, "pkg/control": do, "pkg/healthcheck": do, "pkg/hub": do,
	"pkg/door": do, "pkg/endpoint": do,
	"pkg/launch": do, "pkg/dispatch": do, "pkg/report/gather": do, "pkg/runs/catalog": do,
	"pkg/logs/source": do,
	"pkg/logtee":      do, "pkg/preflight": do, "pkg/rundir": do, "pkg/scheduler": do, "pkg/scheduler/fake": do,
	"pkg/scheduler/local": do,
	"pkg/scheduler/slurm": do, "pkg/supervisor": do, "pkg/upload": do, "pkg/upload/sqlite": do,
	"pkg/upload/sinktest": do, "pkg/upload/all": do,
	"pkg/upload/mysql": do, "pkg/upload/postgres": do, "pkg/upload/sqlstore": do,
	"pkg/upload/opensearch": do, "pkg/upload/gateway": do, "pkg/upload/rest": do, "pkg/upload/dir": do,
	"pkg/upload/parquet": do,
	"pkg/telemetry/otlp": do, "pkg/notice/post": do,
}

// Packages lists the packages below pkg by what they may do: "describe", "decide" or "do".
func Packages() map[string][]string {
	names := map[string][]string{}
	for name, k := range kinds {
		word := [...]string{describe: "describe", decide: "decide", do: "do"}[k]
		names[word] = append(names[word], strings.TrimPrefix(name, "pkg/"))
	}
	for _, list := range names {
		slices.Sort(list)
	}
	return names
}

// alone are packages that know nothing of the rest of the project but what is listed: they could serve others.
var alone = map[string][]string{
	"pkg/roles": nil, "pkg/atomicfile": nil, "pkg/shellwords": nil, "pkg/logtee": nil,
	"pkg/lazyregexp": nil, "pkg/spelling": nil, "pkg/yamlfile": {"pkg/lazyregexp", "pkg/spelling"},
	"pkg/stats/percentile": nil, "pkg/stats": {"pkg/stats/percentile"}, "pkg/report/chart": nil,
	"pkg/supervisor": {"pkg/logtee"}, "pkg/healthcheck": nil, "pkg/diagnose": nil,
	"pkg/known":           {"pkg/yamlfile", "pkg/lazyregexp"},
	"pkg/decide/liveness": nil, "pkg/progressbar": {"pkg/lazyregexp"}, "pkg/door": nil, "pkg/endpoint": {"pkg/door"},
}

// file is one file of source.
type file struct {
	folder string // in the project, with slashes
	name   string
	lines  []string
	ast    *ast.File
	set    *token.FileSet
}

// at is where a node stands, for messages.
func (f file) at(n ast.Node) string {
	return fmt.Sprintf("%s/%s:%d", f.folder, f.name, f.set.Position(n.Pos()).Line)
}

// imports lists what a file imports; packages of the project by their folder.
func (f file) imports() map[string]ast.Node {
	list := map[string]ast.Node{}
	for _, spec := range f.ast.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			list[strings.TrimPrefix(path, module)] = spec
		}
	}
	return list
}

// rule finds what breaks it.
type rule func([]file) []string

// rules are all of them, by name.
var rules = map[string]rule{
	"every package is known": everyPackageIsKnown, "imports": importDirections, "what decides is pure": purity,
	"one writer": oneWriter, "regular files": regularFiles,
	"names of schedulers": schedulerNames, "one importer of yaml": yamlImporters,
	"documentation": documentation, "size": size, "what agents link": agentLinks,
}

// belowPkg tells whether an import is of the project's commands or tests.
func belowPkg(path string) bool {
	return strings.HasPrefix(path, "cmd/") || strings.HasPrefix(path, "test/")
}

func everyPackageIsKnown(files []file) (broken []string) {
	for _, f := range files {
		if _, known := kinds[f.folder]; strings.HasPrefix(f.folder, "pkg/") && !known {
			broken = append(broken, f.folder+": a package that the architecture does not know: list it in test/arch")
		}
	}
	slices.Sort(broken)
	return slices.Compact(broken)
}

// importDirections: what describes knows only what describes, what decides knows nothing that does, and nothing below
// pkg knows a command.
func importDirections(files []file) (broken []string) {
	for _, f := range files {
		for path, node := range f.imports() {
			own, other := kinds[f.folder], kinds[path]
			allowed, isAlone := alone[f.folder]
			switch {
			case strings.HasPrefix(f.folder, "pkg/") && belowPkg(path):
				broken = append(broken, fmt.Sprintf("%s: a package knows a command or a test: %s", f.at(node), path))
			case own == 0 || other == 0:
			case other > own:
				broken = append(broken, fmt.Sprintf("%s: %s may not know %s", f.at(node), f.folder, path))
			case isAlone && !slices.Contains(allowed, path):
				broken = append(broken,
					fmt.Sprintf("%s: %s is to know nothing of the project, and knows %s", f.at(node), f.folder, path))
			}
		}
	}
	return broken
}

// notInAgents are what an agent, of which there is one a rank, is too small for: it is for disagg-submit.
var notInAgents = []string{
	"gonum.org/", "modernc.org/sqlite", "github.com/go-sql-driver/", "github.com/jackc/pgx/", "go.opentelemetry.io/",
	"github.com/prometheus/", "google.golang.org/", "charm.land/", "github.com/charmbracelet/",
}

// agentLinks: what the agent's command imports, and what that imports, is free of large libraries.
func agentLinks(files []file) (broken []string) {
	byFolder := map[string][]file{}
	for _, f := range files {
		byFolder[f.folder] = append(byFolder[f.folder], f)
	}
	seen := map[string]bool{}
	for next := []string{"cmd/disagg-agent"}; len(next) > 0; next = next[1:] {
		if seen[next[0]] {
			continue
		}
		seen[next[0]] = true
		for _, f := range byFolder[next[0]] {
			for path, node := range f.imports() {
				next = append(next, path)
				for _, large := range notInAgents {
					if strings.HasPrefix(path, large) {
						broken = append(broken, fmt.Sprintf("%s: agents link %s", f.at(node), path))
					}
				}
			}
		}
	}
	return broken
}

// forbidden are the packages, and of package time the functions, that something pure cannot use.
var (
	forbidden = []string{
		"os", "os/exec", "os/signal", "net", "net/http", "syscall", "golang.org/x/sys/unix", "log", "log/slog",
		"go.uber.org/zap",
		"sync", "sync/atomic", "context", "math/rand", "crypto/rand", "runtime",
	}
	// pureParts are what may be used of them all the same: it has no effect and no state.
	pureParts = map[string][]string{"net": {"SplitHostPort", "JoinHostPort"}, "sync": {"OnceValue"}}
	clock     = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}
)

// purity: what decides or describes has no files, network, clock, goroutine or log.
func purity(files []file) (broken []string) {
	for _, f := range files {
		if k := kinds[f.folder]; k != decide && k != describe {
			continue
		}
		for path, node := range f.imports() {
			if slices.Contains(forbidden, path) && !onlyPure(f, path) {
				broken = append(broken,
					fmt.Sprintf("%s: %s decides or describes, and imports %s", f.at(node), f.folder, path))
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				broken = append(broken, f.at(g)+": a goroutine in a package that decides")
			}
			if name, ok := selected(n, "time"); ok && slices.Contains(clock, name) {
				broken = append(broken, fmt.Sprintf("%s: time.%s in a package that decides", f.at(n), name))
			}
			return true
		})
	}
	return broken
}

// onlyPure tells whether a file uses of a package only what is pure.
func onlyPure(f file, path string) bool {
	pure, parts := pureParts[path], 0
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if name, ok := selected(n, path); ok {
			if parts++; !slices.Contains(pure, name) {
				pure = nil
			}
		}
		return true
	})
	return parts > 0 && len(pure) > 0
}

// selected is the name that is taken from a package, such as Now of time.Now.
func selected(n ast.Node, pkg string) (name string, ok bool) {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	x, ok := s.X.(*ast.Ident)
	return s.Sel.Name, ok && x.Name == pkg && x.Obj == nil
}
