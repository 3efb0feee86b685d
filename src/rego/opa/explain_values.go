package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// evaluation is where a term of the source is to be evaluated.
type evaluation struct {
	// module tells the package and the imports; nil for a term that needs neither.
	module *ast.Module
	input  *ast.Term
	locals map[string]*ast.Term
	with   []*ast.With
}

// operands are the terms that an expression is about.
func operands(expr *ast.Expr) []*ast.Term {
	switch terms := expr.Terms.(type) {
	case *ast.Term:
		return []*ast.Term{terms}
	case []*ast.Term:
		return terms[1:]
	case *ast.SomeDecl:
		// `some x in xs` is a call: of member_2 or member_3, the last operand being what is gone through.
		if len(terms.Symbols) == 1 {
			if call, ok := terms.Symbols[0].Value.(ast.Call); ok && len(call) > 1 {
				return call[len(call)-1:]
			}
		}
	case *ast.Every:
		return []*ast.Term{terms.Domain}
	}
	return nil
}

// subterms are those in a term, itself included, that have a value worth telling; from without to within.
func subterms(term *ast.Term) []*ast.Term {
	var found []*ast.Term
	switch value := term.Value.(type) {
	case ast.Var:
		if !value.IsWildcard() {
			found = append(found, term)
		}
	case ast.Ref:
		if call, ok := value[0].Value.(ast.Call); ok {
			found = append(found, subterms(ast.NewTerm(call))...)
		}
		found = append(found, term)
		for _, part := range value[1:] {
			found = append(found, subterms(part)...)
		}
	case ast.Call:
		found = append(found, term)
		for _, arg := range value[1:] {
			found = append(found, subterms(arg)...)
		}
	case *ast.Array:
		value.Foreach(func(item *ast.Term) { found = append(found, subterms(item)...) })
	case ast.Set:
		value.Foreach(func(item *ast.Term) { found = append(found, subterms(item)...) })
	case ast.Object:
		value.Foreach(func(_, item *ast.Term) { found = append(found, subterms(item)...) })
	case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
		found = append(found, term)
	}
	return found
}

// textOf is a term as its author wrote it.
func textOf(term *ast.Term) string {
	if term.Location != nil && len(term.Location.Text) > 0 {
		switch term.Value.(type) {
		case ast.Call, *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			return oneLine(term.Location.Text)
		}
	}
	return term.String()
}

// tell adds a term with its value to what is told of a failure.
func (t *teller) tell(told *stepFailure, name string, term *ast.Term, at evaluation) {
	if v, ok := term.Value.(ast.Var); ok {
		if value, bound := at.locals[string(v)]; bound {
			told.Bindings = append(told.Bindings, termValue{Term: name, Value: shown(value)})
			return
		}
	}
	value, compiled := t.evaluator.try(term, at)
	switch {
	case !compiled:
		// Something in it has no value yet, as what an expression is about to assign.
	case value != nil:
		told.Values = append(told.Values, termValue{Term: name, Value: shown(value)})
	default:
		told.Values = append(told.Values, t.undefined(name, term, at))
	}
}

// undefined says which part of a reference is the first that is not there.
func (t *teller) undefined(name string, term *ast.Term, at evaluation) termValue {
	told := termValue{Term: name}
	ref, ok := term.Value.(ast.Ref)
	if !ok {
		return told
	}
	for length := len(ref) - 1; length > 0; length-- {
		parent := ref[:length]
		parentTerm := ast.NewTerm(parent)
		if length == 1 && !ref.HasPrefix(ast.InputRootRef) && !ref.HasPrefix(ast.DefaultRootRef) {
			parentTerm = ref[0]
		}
		value, compiled := t.evaluator.try(parentTerm, at)
		if !compiled {
			return told
		}
		if value == nil {
			continue
		}
		told.Missing = ast.Ref(ref[:length+1]).String()
		told.Parent = parentTerm.String()
		if object, ok := value.Value.(ast.Object); ok {
			told.Keys = []string{}
			object.Foreach(func(key, _ *ast.Term) {
				if text, ok := key.Value.(ast.String); ok {
					told.Keys = append(told.Keys, string(text))
				} else {
					told.Keys = append(told.Keys, key.String())
				}
			})
			slices.Sort(told.Keys)
		} else {
			told.Type = ast.ValueName(value.Value)
		}
		return told
	}
	told.Missing = ref[0].String()
	return told
}

// withoutEchoes leaves out what says nothing new: that a term is undefined of which a part is, and, where only
// those matter, the ones that are not.
func withoutEchoes(values []termValue, undefinedOnly bool) []termValue {
	var missing []string
	for _, value := range values {
		if value.Value == nil {
			missing = append(missing, value.Term)
		}
	}
	var kept []termValue
	for _, value := range values {
		if value.Value != nil {
			if !undefinedOnly || len(missing) == 0 {
				kept = append(kept, value)
			}
			continue
		}
		echo := slices.ContainsFunc(missing, func(other string) bool {
			return other != value.Term && strings.Contains(value.Term, other) && !strings.HasPrefix(value.Term, other)
		})
		if !echo {
			kept = append(kept, value)
		}
	}
	return kept
}

// value evaluates a term; nil where it is undefined.
func (e *evaluator) value(term *ast.Term, at evaluation) *ast.Term {
	value, _ := e.try(term, at)
	return value
}

// try evaluates a term of the source; `compiled` is false where it cannot be, a variable having no value.
func (e *evaluator) try(term *ast.Term, at evaluation) (value *ast.Term, compiled bool) {
	var body ast.Body
	names := map[ast.Var]ast.Var{}
	for _, name := range slices.Sorted(maps.Keys(at.locals)) {
		// The package may have a rule of this name.
		names[ast.Var(name)] = ast.Var("explained_" + name)
	}
	asked := ast.Equality.Expr(ast.NewTerm(resultVar), term.Copy())
	for _, with := range at.with {
		asked.With = append(asked.With, with.Copy())
	}
	used := ast.NewVarSet()
	_, err := ast.TransformVars(asked, func(v ast.Var) (ast.Value, error) {
		if other, ok := names[v]; ok {
			used.Add(v)
			return other, nil
		}
		return v, nil
	})
	if err != nil {
		return nil, false
	}
	for _, v := range used.Sorted() {
		// Through a function of any value, so that a key which the value lacks is undefined, not a type error.
		key := ast.StringTerm("value")
		body.Append(ast.ObjectGet.Expr(
			ast.ObjectTerm(ast.Item(key, at.locals[string(v)])), key, ast.NullTerm(), ast.NewTerm(names[v])))
	}
	body.Append(asked)

	compiler := e.compiler.QueryCompiler()
	if at.module != nil {
		compiler = compiler.WithContext(ast.NewQueryContext().
			WithPackage(at.module.Package).
			WithImports(at.module.Imports))
	}
	query, err := compiler.Compile(body)
	if err != nil {
		return nil, false
	}
	value, err = first(e.query(query, compiler, at.input))
	return value, err == nil
}
