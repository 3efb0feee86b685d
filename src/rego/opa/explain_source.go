package main

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// sources are the modules as their author wrote them: the compiled ones, which are evaluated, have other
// variables and more expressions, but keep the places.
type sources struct {
	modules map[string]*ast.Module
	rules   map[sourcePlace]*ast.Rule
}

type sourcePlace struct {
	file   string
	offset int
}

func readSources(loaded *bundle.Bundle) *sources {
	s := &sources{modules: map[string]*ast.Module{}, rules: map[sourcePlace]*ast.Rule{}}
	for _, file := range loaded.Modules {
		s.modules[file.URL] = file.Parsed
		for _, rule := range file.Parsed.Rules {
			for ; rule != nil; rule = rule.Else {
				s.rules[sourcePlace{file.URL, rule.Location.Offset}] = rule
			}
		}
	}
	return s
}

// rule finds what a compiled rule was made of; nil for one that no author wrote.
func (s *sources) rule(compiled *ast.Rule) *ast.Rule {
	if compiled.Location == nil {
		return nil
	}
	return s.rules[sourcePlace{compiled.Location.File, compiled.Location.Offset}]
}

// scope is a body as it was written: of a rule, a comprehension or an every.
type scope struct {
	rule *ast.Rule
	kind string
	body ast.Body
}

func ruleScope(rule *ast.Rule) *scope { return &scope{rule: rule, kind: "rule", body: rule.Body} }

// nested finds the innermost body within this one, or this one itself, that an offset lies in.
func (s *scope) nested(offset int) *scope {
	found := s
	consider := func(kind string, body ast.Body) bool {
		if expressionAt(body, offset) != nil {
			found = &scope{rule: s.rule, kind: kind, body: body}
		}
		return false
	}
	// The walk comes from without to within, and the last one that holds the offset is the innermost.
	ast.NewGenericVisitor(func(node any) bool {
		switch node := node.(type) {
		case *ast.ArrayComprehension:
			return consider("comprehension", node.Body)
		case *ast.SetComprehension:
			return consider("comprehension", node.Body)
		case *ast.ObjectComprehension:
			return consider("comprehension", node.Body)
		case *ast.Every:
			return consider("every", node.Body)
		}
		return false
	}).Walk(s.body)
	return found
}

// expressionAt finds the expression of a body that an offset lies in.
func expressionAt(body ast.Body, offset int) *ast.Expr {
	for _, expr := range body {
		if l := expr.Location; l != nil && l.Offset <= offset && offset < l.Offset+len(l.Text) {
			return expr
		}
	}
	return nil
}

// oneLine is a text of the source in one line.
func oneLine(text []byte) string { return strings.Join(strings.Fields(string(text)), " ") }

// headText is a definition without its body.
func headText(rule *ast.Rule) string {
	text := oneLine(rule.Location.Text)
	if len(rule.Body) > 0 && rule.Body[0].Location != nil {
		before := rule.Body[0].Location.Offset - rule.Location.Offset
		if before > 0 && before <= len(rule.Location.Text) {
			head := oneLine(rule.Location.Text[:before])
			// A definition without a body has one all the same, which stands where the head's value does.
			head, braced := strings.CutSuffix(head, "{")
			head, conditional := strings.CutSuffix(strings.TrimSpace(head), " if")
			if braced || conditional {
				return strings.TrimSpace(head)
			}
		}
	}
	return text
}
