package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/storage"
)

// fewestClauses is from how many clauses on it pays: below that, the call costs more than the look-ups that it spares.
const fewestClauses = 8

// hoist gives the bundle with rules of many clauses made cheaper to evaluate, and whether there are any.
//
// Wasm looks up `input.request.path` anew in each clause that names it, and it evaluates every clause of a rule. So
// clauses of one rule that give the same constant, and that all need the same parts of the input, become clauses of a
// function of those parts, and one clause calls it. A clause is undefined where a part that it needs is; so is the call,
// and with it all of them.
//
// compiler holds the same modules, compiled.
func hoist(
	loaded *bundle.Bundle, compiler *ast.Compiler, entrypoints []string, fewest int,
) (*bundle.Bundle, bool) {
	whole := readWhole(compiler, entrypoints)
	untouched := func(module *ast.Module) bool {
		return slices.ContainsFunc(whole, func(path ast.Ref) bool { return module.Package.Path.HasPrefix(path) })
	}
	// OPA takes a parameter to be of one type, and a part of the input to be of any.
	staying := map[location]bool{}
	for range 5 {
		hoisted, made := hoistAllBut(staying, untouched, loaded, fewest)
		if made == 0 {
			return nil, false
		}
		faulty, ok := faultyClauses(hoisted)
		if !ok {
			return nil, false
		}
		if len(faulty) == 0 {
			return hoisted, true
		}
		for _, clause := range faulty {
			staying[clause] = true
		}
	}
	return nil, false
}

// readWhole gives the documents that something asks for as they are, or by names that only a request tells. Where
// functions are among what is in one, OPA makes Wasm that is none.
func readWhole(compiler *ast.Compiler, entrypoints []string) []ast.Ref {
	var whole []ast.Ref
	for _, entrypoint := range entrypoints {
		path, _ := storage.ParsePath("/" + entrypoint)
		whole = append(whole, path.Ref(ast.DefaultRootDocument))
	}
	for _, module := range compiler.Modules {
		for _, rule := range module.Rules {
			ast.WalkRefs(rule, func(ref ast.Ref) bool {
				if ref.HasPrefix(ast.DefaultRootRef) {
					whole = append(whole, ref[:1+len(constantPath(ref[1:]))])
				}
				return false
			})
		}
	}
	return whole
}

// location is where a clause begins.
type location struct {
	file     string
	row, col int
}

func locationOf(at *ast.Location) location { return location{at.File, at.Row, at.Col} }

// faultyClauses tells which clauses OPA does not take as they are now; false where it does not say.
func faultyClauses(hoisted *bundle.Bundle) ([]location, bool) {
	var clauses []location
	for _, file := range hoisted.Modules {
		for _, rule := range file.Parsed.Rules {
			clauses = append(clauses, locationOf(rule.Location))
		}
	}
	compiler := ast.NewCompiler().WithDefaultRegoVersion(ast.RegoV1).SetErrorLimit(0)
	compiler.Compile(modulesOf(hoisted))
	var faulty []location
	for _, err := range compiler.Errors {
		if err.Location == nil {
			return nil, false
		}
		at := locationOf(err.Location)
		var last location
		for _, clause := range clauses {
			if clause.file == at.file && !later(clause, at) && !later(last, clause) {
				last = clause
			}
		}
		if last == (location{}) {
			return nil, false
		}
		faulty = append(faulty, last)
	}
	return faulty, true
}

func later(one, other location) bool {
	return one.row > other.row || one.row == other.row && one.col > other.col
}

// hoistAllBut gives how many functions were made as well.
func hoistAllBut(
	staying map[location]bool, untouched func(*ast.Module) bool, loaded *bundle.Bundle, fewest int,
) (*bundle.Bundle, int) {
	// Bundle.Copy leaves both with the same modules.
	copied := *loaded
	copied.Manifest = loaded.Manifest.Copy()
	copied.Modules = slices.Clone(loaded.Modules)
	made := 0
	for i, file := range copied.Modules {
		if untouched(file.Parsed) {
			continue
		}
		module := file.Parsed.Copy()
		made = hoistModule(module, staying, fewest, made)
		copied.Modules[i].Parsed = module
	}
	return &copied, made
}

// alike are clauses of one rule that can be told apart by their bodies alone.
type alike struct {
	parts   []ast.Ref
	clauses []hoistable
}

// hoistable is a clause that may become one of a function.
type hoistable struct {
	rule *ast.Rule
	// parts are those of the input without which the clause is undefined, sorted, none twice.
	parts []ast.Ref
	// body has parameters in their place.
	body ast.Body
}

// hoistModule gives how many functions there are once those of this module were added to the ones made before.
func hoistModule(module *ast.Module, staying map[location]bool, fewest, made int) int {
	aliases := inputAliases(module)
	groups := map[string]*alike{}
	var order []string
	for _, rule := range module.Rules {
		clause, ok := readClause(rule, aliases)
		if !ok || staying[locationOf(rule.Location)] {
			continue
		}
		key := fmt.Sprint(rule.Head.Ref(), rule.Head.Value, clause.parts)
		if groups[key] == nil {
			groups[key] = &alike{parts: clause.parts}
			order = append(order, key)
		}
		groups[key].clauses = append(groups[key].clauses, clause)
	}

	gone := map[*ast.Rule]bool{}
	var added []*ast.Rule
	for _, key := range order {
		group := groups[key]
		if len(group.clauses) < fewest {
			continue
		}
		// No author can write such names.
		name := fmt.Sprintf("clauses %d", made)
		made++
		for _, clause := range group.clauses {
			gone[clause.rule] = true
			function := clause.asFunction(name)
			function.Module = module
			added = append(added, function)
		}
		caller := calling(group, module.Package.Path.Append(ast.StringTerm(name)))
		caller.Module = module
		added = append(added, caller)
	}
	module.Rules = append(slices.DeleteFunc(module.Rules, func(rule *ast.Rule) bool { return gone[rule] }), added...)
	return made
}

// inputAliases are the names under which the module imports parts of the input.
func inputAliases(module *ast.Module) map[ast.Var]ast.Ref {
	aliases := map[ast.Var]ast.Ref{}
	for _, imported := range module.Imports {
		path, ok := imported.Path.Value.(ast.Ref)
		if ok && path.HasPrefix(ast.InputRootRef) && len(constantPath(path[1:])) == len(path)-1 {
			aliases[imported.Name()] = path
		}
	}
	return aliases
}

// readClause says as well whether the clause need not stay as it is.
func readClause(rule *ast.Rule, aliases map[ast.Var]ast.Ref) (hoistable, bool) {
	head := rule.Head
	if rule.Default || rule.Else != nil || len(head.Args) > 0 || len(head.Ref()) != 1 ||
		head.RuleKind() != ast.SingleValue || !isScalar(head.Value) {
		return hoistable{}, false
	}
	aliases = unshadowed(aliases, rule)
	var parts []ast.Ref
	replace := func(part ast.Ref, at *ast.Location) *ast.Term {
		parts = append(parts, part)
		return parameter(part, at)
	}
	body := rule.Body.Copy()
	for _, expr := range body {
		if !isPlain(expr) {
			continue
		}
		if terms, ok := expr.Terms.([]*ast.Term); ok {
			for i := 1; i < len(terms); i++ {
				terms[i] = replaceIn(terms[i], aliases, replace)
			}
		} else {
			expr.Terms = replaceIn(expr.Terms.(*ast.Term), aliases, replace)
		}
	}
	slices.SortFunc(parts, func(a, b ast.Ref) int { return cmp.Compare(a.String(), b.String()) })
	parts = slices.CompactFunc(parts, func(a, b ast.Ref) bool { return a.Equal(b) })
	return hoistable{rule, parts, body}, len(parts) > 0
}

func isScalar(term *ast.Term) bool {
	if term == nil {
		return false
	}
	switch term.Value.(type) {
	case ast.Boolean, ast.Number, ast.String, ast.Null:
		return true
	}
	return false
}

// isPlain says that an expression of a body is undefined where one of its operands is.
func isPlain(expr *ast.Expr) bool {
	if expr.Negated || len(expr.With) > 0 {
		return false
	}
	switch terms := expr.Terms.(type) {
	case *ast.Term:
		return true
	case []*ast.Term:
		// It prints what is undefined as well.
		return !terms[0].Equal(ast.NewTerm(ast.Print.Ref()))
	}
	return false
}

// unshadowed leaves out aliases that the rule may give another meaning.
func unshadowed(aliases map[ast.Var]ast.Ref, rule *ast.Rule) map[ast.Var]ast.Ref {
	kept := map[ast.Var]ast.Ref{}
	for name, path := range aliases {
		kept[name] = path
	}
	var visitor *ast.GenericVisitor
	visitor = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			for _, term := range x[1:] {
				visitor.Walk(term)
			}
			return true
		case ast.Var:
			delete(kept, x)
		}
		return false
	})
	visitor.Walk(rule.Body)
	return kept
}

// replaceIn gives a term in which each part of the input stands replaced. What is undefined by itself, such as in a
// comprehension, is left as it is, and so is what stands in a collection.
func replaceIn(term *ast.Term, aliases map[ast.Var]ast.Ref, replace func(part ast.Ref, at *ast.Location) *ast.Term) *ast.Term {
	within := func(terms []*ast.Term) []*ast.Term {
		out := make([]*ast.Term, len(terms))
		for i, one := range terms {
			out[i] = replaceIn(one, aliases, replace)
		}
		return out
	}
	switch value := term.Value.(type) {
	case ast.Call:
		return &ast.Term{Value: ast.Call(append([]*ast.Term{value[0]}, within(value[1:])...)), Location: term.Location}
	case ast.Ref:
		full := value
		if name, ok := value[0].Value.(ast.Var); ok && aliases[name] != nil {
			full = aliases[name].Concat(value[1:])
		}
		length := 0
		if full.HasPrefix(ast.InputRootRef) {
			length = len(constantPath(full[1:]))
		}
		if length == 0 {
			return &ast.Term{Value: ast.Ref(append([]*ast.Term{value[0]}, within(value[1:])...)), Location: term.Location}
		}
		rest := within(full[1+length:])
		replaced := replace(full[:1+length], term.Location)
		if len(rest) == 0 {
			return &ast.Term{Value: replaced.Value, Location: term.Location}
		}
		return &ast.Term{Value: ast.Ref(append([]*ast.Term{replaced}, rest...)), Location: term.Location}
	}
	return term
}

// asFunction gives the clause as one of a function of what it needs.
func (clause hoistable) asFunction(name string) *ast.Rule {
	head := clause.rule.Head
	made := clause.rule.Copy()
	made.Annotations = nil
	made.Head = ast.RefHead(ast.Ref{ast.VarTerm(name)}, head.Value)
	made.Head.Args = parameters(clause.parts, head.Location)
	made.Head.Location = head.Location
	made.Body = clause.body
	return made
}

func parameters(parts []ast.Ref, at *ast.Location) []*ast.Term {
	terms := make([]*ast.Term, len(parts))
	for i, part := range parts {
		terms[i] = parameter(part, at)
	}
	return terms
}

// parameter is called after the part that it stands for, by a name that no author can write.
func parameter(part ast.Ref, at *ast.Location) *ast.Term {
	names := make([]string, len(part))
	for i, term := range part {
		names[i] = term.String()
	}
	return ast.VarTerm(strings.Join(names, " ")).SetLocation(at)
}

// calling is the clause that stands for those of a group.
func calling(group *alike, function ast.Ref) *ast.Rule {
	first := group.clauses[0].rule
	made := first.Copy()
	made.Annotations = nil
	call := []*ast.Term{ast.NewTerm(function)}
	for _, part := range group.parts {
		call = append(call, ast.NewTerm(part))
	}
	equal := ast.Equality.Expr(ast.NewTerm(ast.Call(call)), first.Head.Value)
	equal.Location = first.Location
	made.Body = ast.NewBody(equal)
	return made
}
