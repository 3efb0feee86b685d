package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// warnings lists what compiles but cannot be meant: in the order of their places, each once.
func warnings(compiler *ast.Compiler, loaded *bundle.Bundle, schemas *schemas, entrypoints []string) []problem {
	found := neverTrue(compiler, loaded, schemas)
	for _, entrypoint := range entrypoints {
		found = append(found, withoutDefault(compiler, loaded, entrypoint)...)
	}
	for _, module := range policiesOf(compiler.Modules) {
		found = append(found, indirectlyUnverified(module)...)
		found = append(found, brokenPatterns(module)...)
		ast.WalkRefs(module, func(ref ast.Ref) bool {
			found = append(found, unverified(ref, ref[0].Location)...)
			found = append(found, unknownData(ref, compiler, loaded, schemas)...)
			return false
		})
	}
	slices.SortStableFunc(found, func(a, b problem) int {
		return cmp.Or(comparePlaces(a.place, b.place), strings.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(found, func(a, b problem) bool {
		return a.place == b.place && a.Code == b.Code && a.Message == b.Message
	})
}

func warning(code string, location *ast.Location, format string, values ...any) problem {
	return problem{Code: code, Message: fmt.Sprintf(format, values...), place: placeOf(location)}
}

// unverified warns of what a client can write, where a verified fact is to be had.
func unverified(ref ast.Ref, location *ast.Location) []problem {
	if !ref[0].Equal(ast.InputRootDocument) {
		return nil
	}
	names := make([]string, 0, len(ref))
	for _, term := range ref {
		switch name := term.Value.(type) {
		case ast.Var:
			names = append(names, string(name))
		case ast.String:
			names = append(names, string(name))
		}
	}
	path := strings.Join(names, ".")
	if header, ok := strings.CutPrefix(path, "input.attributes.request.http.headers."); ok && len(names) > 5 {
		switch lower := strings.ToLower(header); {
		case lower == "authorization":
			return []problem{warning("unverified_token", location,
				"the header authorization is not verified: use input.token, whose claims are input.token.claims")}
		case lower == "x-forwarded-client-cert":
			return []problem{warning("unverified_identity", location,
				"the header %s is not verified: use input.identity", lower)}
		case lower != header:
			return []problem{warning("header_case", location,
				"Envoy writes the names of headers in small letters: %q is never there, %q is", header, lower)}
		}
	}
	switch path {
	case "input.source_principal", "input.attributes.source.principal", "input.attributes.source.certificate":
		return []problem{warning("unverified_identity", location,
			"%s is not verified: use input.identity.spiffe_id", path)}
	}
	return nil
}

// indirectlyUnverified finds the same behind a variable (`http := input.attributes.request.http`) and in object.get.
func indirectlyUnverified(module *ast.Module) []problem {
	var found []problem
	ast.WalkBodies(module, func(body ast.Body) bool {
		named := map[ast.Var]ast.Ref{}
		// What a variable stands for comes first, wherever the compiler has put it.
		for _, expr := range body {
			if operator, left, right := comparison(expr); operator == "==" && !expr.Negated {
				name, isVar := left.Value.(ast.Var)
				ref, isRef := right.Value.(ast.Ref)
				if isVar && isRef {
					named[name] = ref
				}
			}
		}
		whole := func(ref ast.Ref) ast.Ref {
			for range named {
				name, ok := ref[0].Value.(ast.Var)
				if !ok || named[name] == nil {
					break
				}
				ref = named[name].Concat(ref[1:])
			}
			return ref
		}
		ast.WalkExprs(body, func(expr *ast.Expr) bool {
			if !expr.IsCall() || expr.Operator().String() != "object.get" || len(expr.Operands()) < 2 {
				return false
			}
			var object ast.Ref
			switch value := expr.Operand(0).Value.(type) {
			case ast.Ref:
				object = whole(value)
			case ast.Var:
				object = whole(ast.Ref{expr.Operand(0)})
			}
			switch key := expr.Operand(1).Value.(type) {
			case ast.String:
				object = object.Append(expr.Operand(1))
			case *ast.Array:
				key.Foreach(func(term *ast.Term) { object = object.Append(term) })
			}
			if len(object) > 1 {
				found = append(found, unverified(object, expr.Location)...)
			}
			return false
		})
		ast.WalkRefs(body, func(ref ast.Ref) bool {
			if full := whole(ref); len(full) > len(ref) {
				found = append(found, unverified(full, ref[0].Location)...)
			}
			return false
		})
		return false
	})
	return found
}

// patternOperands tells which operand of a built-in is a regular expression.
var patternOperands = map[string]int{
	"regex.match": 0, "regex.find_n": 0, "regex.find_all_string_submatch_n": 0, "regex.split": 0, "regex.replace": 1,
}

// brokenPatterns warns of regular expressions that are none: such a call is undefined each time.
func brokenPatterns(module *ast.Module) []problem {
	var found []problem
	ast.WalkExprs(module, func(expr *ast.Expr) bool {
		if !expr.IsCall() {
			return false
		}
		operand, ok := patternOperands[expr.Operator().String()]
		if !ok || operand >= len(expr.Operands()) {
			return false
		}
		if pattern, ok := expr.Operand(operand).Value.(ast.String); ok {
			if _, err := regexp.Compile(string(pattern)); err != nil {
				found = append(found, warning("pattern_invalid", expr.Location, "this is always undefined: %v", err))
			}
		}
		return false
	})
	return found
}

// unknownData warns of data that no rule, no data file and no schema knows of.
func unknownData(ref ast.Ref, compiler *ast.Compiler, loaded *bundle.Bundle, schemas *schemas) []problem {
	if !ref[0].Equal(ast.DefaultRootDocument) || len(ref) < 2 {
		return nil
	}
	path := ref.ConstantPrefix()
	for length := 2; length <= len(path); length++ {
		prefix := path[:length]
		if len(compiler.GetRulesExact(prefix)) > 0 {
			return nil
		}
		keys := make([]string, 0, length)
		for _, term := range prefix[1:] {
			name, ok := term.Value.(ast.String)
			if !ok {
				return nil
			}
			keys = append(keys, string(name))
		}
		if len(compiler.GetRulesWithPrefix(prefix)) > 0 || hasData(loaded.Data, keys) || schemas.hasData(prefix) {
			continue
		}
		told := warning("unknown_data", ref[0].Location, "nothing defines %s: no rule, no data file and no schema", prefix)
		if meant := closest(keys[length-2], membersOf(prefix[:length-1], compiler, loaded)); meant != "" {
			told.Message += fmt.Sprintf(": did you mean %s?", prefix[:length-1].Append(ast.StringTerm(meant)))
		}
		return []problem{told}
	}
	return nil
}

// membersOf lists the names below a path of data.
func membersOf(path ast.Ref, compiler *ast.Compiler, loaded *bundle.Bundle) []string {
	var names []string
	for _, rule := range compiler.GetRulesWithPrefix(path) {
		if ref := rule.Ref(); len(ref) > len(path) && !isTest(rule.Location.File) {
			if name, ok := ref[len(path)].Value.(ast.String); ok {
				names = append(names, string(name))
			}
		}
	}
	var node any = loaded.Data
	for _, term := range path[1:] {
		object, _ := node.(map[string]any)
		name, _ := term.Value.(ast.String)
		node = object[string(name)]
	}
	if object, ok := node.(map[string]any); ok {
		for name := range object {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// withoutDefault warns of an entrypoint that may be undefined: it denies then, without a word of why.
func withoutDefault(compiler *ast.Compiler, loaded *bundle.Bundle, entrypoint string) []problem {
	ref := ast.Ref{ast.DefaultRootDocument}
	for _, part := range strings.Split(entrypoint, "/") {
		ref = ref.Append(ast.StringTerm(part))
	}
	rules := compiler.GetRulesExact(ref)
	if len(rules) == 0 || alwaysDefined(asWritten(rules, loaded)) {
		return nil
	}
	slices.SortFunc(rules, func(a, b *ast.Rule) int { return comparePlaces(placeOf(a.Location), placeOf(b.Location)) })
	name := rules[0].Head.Ref().String()
	return []problem{warning("no_default", rules[0].Location,
		"the entrypoint %s has no default: where none of its rules holds it is undefined, and the request denied "+
			"as policy_undefined; write a rule `default %s := …`", entrypoint, name)}
}

// asWritten gives rules as they were before the compiler moved calls out of their heads into their bodies.
func asWritten(rules []*ast.Rule, loaded *bundle.Bundle) []*ast.Rule {
	wanted := map[place]bool{}
	for _, rule := range rules {
		wanted[placeOf(rule.Location)] = true
	}
	var written []*ast.Rule
	for _, file := range loaded.Modules {
		for _, rule := range file.Parsed.Rules {
			if wanted[placeOf(rule.Location)] {
				written = append(written, rule)
			}
		}
	}
	return written
}

// alwaysDefined tells whether rules leave no case out: a default, a collection, a rule or an else without a
// condition, or a pair of rules of which one asks for what the other negates.
func alwaysDefined(rules []*ast.Rule) bool {
	conditions := map[string]bool{}
	for _, rule := range rules {
		if rule.Default || rule.Head.DocKind() != ast.CompleteDoc {
			return true
		}
		for part := rule; part != nil; part = part.Else {
			if unconditional(part.Body) {
				return true
			}
		}
		if len(rule.Body) == 1 && len(rule.Body[0].With) == 0 {
			conditions[rule.Body[0].String()] = true
		}
	}
	for condition := range conditions {
		if conditions["not "+condition] {
			return true
		}
	}
	return false
}

func unconditional(body ast.Body) bool {
	if len(body) != 1 || body[0].Negated {
		return false
	}
	term, ok := body[0].Terms.(*ast.Term)
	return ok && ast.Boolean(true).Equal(term.Value)
}
