package main

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// neverTrue warns of expressions that no request can satisfy, and of rules that need one of them.
func neverTrue(compiler *ast.Compiler, loaded *bundle.Bundle, schemas *schemas) []problem {
	var found []problem
	dead := map[place]bool{}
	for _, file := range loaded.Modules {
		if isTest(file.URL) {
			continue
		}
		ast.WalkRules(file.Parsed, func(rule *ast.Rule) bool {
			found = append(found, unreachable(rule)...)
			return false
		})
		ast.WalkBodies(file.Parsed, func(body ast.Body) bool {
			if p := contradiction(body); p != nil {
				found = append(found, *p)
				markDead(dead, file.Parsed, body)
			}
			return false
		})
	}
	policies := policiesOf(compiler.Modules)
	for _, module := range policies {
		ast.WalkRules(module, func(rule *ast.Rule) bool {
			for _, expr := range rule.Body {
				if p := outsideEnum(expr, schemas); p != nil {
					found = append(found, *p)
					dead[placeOf(rule.Location)] = true
				}
			}
			return false
		})
	}
	return append(found, needsDead(compiler, policies, dead)...)
}

// markDead notes the rule whose own body this is; a body within an expression says nothing about the rule.
func markDead(dead map[place]bool, module *ast.Module, body ast.Body) {
	ast.WalkRules(module, func(rule *ast.Rule) bool {
		if len(rule.Body) > 0 && len(body) > 0 && rule.Body[0] == body[0] {
			dead[placeOf(rule.Location)] = true
		}
		return false
	})
}

// unreachable warns of an else below one that needs nothing.
func unreachable(rule *ast.Rule) []problem {
	if rule.Else != nil && unconditional(rule.Body) && len(rule.Head.Args) == 0 {
		return []problem{warning("never_true", rule.Else.Location, "this else is never reached: what stands before it always holds")}
	}
	return nil
}

// demand is what one expression asks of one thing.
type demand struct {
	operator string
	value    ast.Value
	expr     *ast.Expr
}

// contradiction finds the first expression of a body that is false whatever comes in, by itself or after those
// above it.
func contradiction(body ast.Body) *problem {
	demands := map[string][]demand{}
	held := map[string]*ast.Expr{}
	for _, expr := range body {
		if len(expr.With) > 0 {
			continue
		}
		if constantFalse(expr) {
			p := warning("never_true", expr.Location, "this is never true")
			return &p
		}
		text := strings.TrimPrefix(expr.String(), "not ")
		if other := held[text]; other != nil && other.Negated != expr.Negated && repeatable(expr) {
			p := warning("never_true", expr.Location, "this is never true: line %d asks for the opposite", other.Location.Row)
			return &p
		}
		held[text] = expr
		about, asked := demandOf(expr)
		if about == "" {
			continue
		}
		for _, other := range demands[about] {
			if excludes(asked, other) {
				p := warning("never_true", expr.Location, "this is never true: line %d asks for %s",
					other.expr.Location.Row, strings.Join(strings.Fields(string(other.expr.Location.Text)), " "))
				return &p
			}
		}
		demands[about] = append(demands[about], asked)
	}
	return nil
}

// operators by the names of their functions; the mirror is the one with its operands swapped.
var operators = map[string]string{
	"equal": "==", "eq": "==", "assign": "==", "neq": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=",
}

var mirrors = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

func comparison(expr *ast.Expr) (operator string, left, right *ast.Term) {
	if !expr.IsCall() || len(expr.Operands()) != 2 {
		return "", nil, nil
	}
	return operators[expr.Operator().String()], expr.Operand(0), expr.Operand(1)
}

func constantFalse(expr *ast.Expr) bool {
	if term, ok := expr.Terms.(*ast.Term); ok {
		value, scalar := term.Value.(ast.Boolean)
		return scalar && bool(value) == expr.Negated
	}
	operator, left, right := comparison(expr)
	if operator == "" || !ast.IsConstant(left.Value) || !ast.IsConstant(right.Value) {
		return false
	}
	return holds(operator, ast.Compare(left.Value, right.Value)) == expr.Negated
}

// demandOf reads a comparison of something named with a constant; about is empty where it is none.
func demandOf(expr *ast.Expr) (about string, asked demand) {
	operator, left, right := comparison(expr)
	if operator == "" || expr.Negated {
		return "", demand{}
	}
	if ast.IsConstant(left.Value) {
		operator, left, right = mirrors[operator], right, left
	}
	switch left.Value.(type) {
	case ast.Ref, ast.Var:
	default:
		return "", demand{}
	}
	if !ast.IsConstant(right.Value) || hasWildcard(left) {
		return "", demand{}
	}
	return left.String(), demand{operator: operator, value: right.Value, expr: expr}
}

// hasWildcard tells whether a term stands for something else each time: x[_], and calls inside of it.
func hasWildcard(x any) bool {
	found := false
	ast.WalkTerms(x, func(term *ast.Term) bool {
		switch value := term.Value.(type) {
		case ast.Var:
			found = found || value.IsWildcard() || value.IsGenerated()
		case ast.Call, *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			found = true
		}
		return found
	})
	return found
}

// repeatable tells whether an expression means the same wherever it stands in a body.
func repeatable(expr *ast.Expr) bool {
	_, plain := expr.Terms.(*ast.Term)
	if operator, _, _ := comparison(expr); operator == "" && !plain {
		return false
	}
	return !hasWildcard(expr)
}

func holds(operator string, order int) bool {
	switch operator {
	case "==":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// excludes tells whether nothing satisfies both. Rego orders all values, of all types.
func excludes(a, b demand) bool {
	if a.operator == "==" {
		return !holds(b.operator, ast.Compare(a.value, b.value))
	}
	if b.operator == "==" {
		return !holds(a.operator, ast.Compare(b.value, a.value))
	}
	upward, downward := a, b
	if strings.HasPrefix(a.operator, "<") {
		upward, downward = b, a
	}
	if !strings.HasPrefix(upward.operator, ">") || !strings.HasPrefix(downward.operator, "<") {
		return false
	}
	order := ast.Compare(upward.value, downward.value)
	return order > 0 || (order == 0 && (upward.operator == ">" || downward.operator == "<"))
}

// outsideEnum warns of a comparison of the input with a value that its schema does not list.
func outsideEnum(expr *ast.Expr, schemas *schemas) *problem {
	operator, left, right := comparison(expr)
	if operator != "==" || expr.Negated || len(expr.With) > 0 {
		return nil
	}
	if ast.IsConstant(left.Value) {
		left, right = right, left
	}
	ref, ok := left.Value.(ast.Ref)
	if !ok || !ref[0].Equal(ast.InputRootDocument) || !ast.IsConstant(right.Value) {
		return nil
	}
	allowed := schemas.enumOf(ref)
	if len(allowed) == 0 {
		return nil
	}
	names := make([]string, 0, len(allowed))
	for _, one := range allowed {
		value, err := ast.InterfaceToValue(one)
		if err != nil || value.Compare(right.Value) == 0 {
			return nil
		}
		names = append(names, value.String())
	}
	p := warning("never_true", expr.Location, "this is never true: %s is one of %s", ref, strings.Join(names, ", "))
	return &p
}

// needsDead warns of rules that need one that never holds, and of those that need these.
func needsDead(compiler *ast.Compiler, policies map[string]*ast.Module, dead map[place]bool) []problem {
	var found []problem
	never := func(ref ast.Ref) bool {
		rules := compiler.GetRulesExact(ref)
		for _, rule := range rules {
			if rule.Default || rule.Else != nil || rule.Head.DocKind() != ast.CompleteDoc || !dead[placeOf(rule.Location)] {
				return false
			}
		}
		return len(rules) > 0
	}
	for again := true; again; {
		again = false
		for _, module := range policies {
			for _, rule := range module.Rules {
				at := placeOf(rule.Location)
				if dead[at] {
					continue
				}
				for _, expr := range rule.Body {
					term, ok := expr.Terms.(*ast.Term)
					if !ok || expr.Negated || len(expr.With) > 0 {
						continue
					}
					if ref, ok := term.Value.(ast.Ref); ok && never(ref) {
						dead[at], again = true, true
						found = append(found, warning("never_true", expr.Location, "this is never true: %s",
							fmt.Sprintf("no rule %s can hold", strings.TrimPrefix(ref.String(), "data."))))
						break
					}
				}
			}
		}
	}
	return found
}
