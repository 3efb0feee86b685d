package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/util"
)

// schemaFile is one JSON Schema. That named input is the schema of input, that named data of data; any other
// is schema.NAME to annotations.
type schemaFile struct {
	// Name has slashes where the annotation has dots.
	Name string `json:"name"`
	sourceFile
}

type schemas struct {
	set *ast.SchemaSet
	// input and data are as parsed, nil where there is none.
	input map[string]any
	data  map[string]any
}

func readSchemas(files []schemaFile) (*schemas, []problem) {
	read := &schemas{set: ast.NewSchemaSet()}
	var problems []problem
	for _, file := range files {
		var schema any
		if err := util.UnmarshalJSON([]byte(file.Content), &schema); err != nil {
			p := problem{Code: "schema_parse_error", Message: err.Error(), place: dataPlace(file.sourceFile, err)}
			problems = append(problems, locate([]problem{p}, []sourceFile{file.sourceFile})...)
			continue
		}
		if message := schemaProblem(schema); message != "" {
			problems = append(problems, problem{
				Code: "schema_invalid", Message: message, place: place{File: file.Path, Row: 1, Col: 1},
			})
			continue
		}
		object, _ := schema.(map[string]any)
		switch file.Name {
		case "input":
			read.input = object
			read.set.Put(ast.SchemaRootRef, schema)
		case "data":
			read.data = object
		}
		ref := ast.Ref{ast.SchemaRootDocument}
		for _, part := range strings.Split(file.Name, "/") {
			ref = ref.Append(ast.StringTerm(part))
		}
		read.set.Put(ref, schema)
	}
	return read, problems
}

// schemaProblem says why OPA cannot take a schema; empty when it can.
func schemaProblem(schema any) string {
	if _, ok := schema.(map[string]any); !ok {
		return "a schema is a JSON object"
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, schema)
	capabilities := ast.CapabilitiesForThisVersion()
	capabilities.AllowNet = []string{}
	errs := ast.NewCompiler().WithCapabilities(capabilities).WithSchemas(set).PassesTypeCheckRules(nil)
	if len(errs) == 0 {
		return ""
	}
	return errs[0].Message
}

// dataModule carries the schema of data to every rule: an annotation above all packages. OPA's own way, an
// annotation in each policy, overrides it. Nil where there is no such schema.
func (s *schemas) dataModule(modules map[string]*ast.Module) *ast.Module {
	if s.data == nil {
		return nil
	}
	annotations := s.dataAnnotations(modules, ast.Ref{ast.DefaultRootDocument}, s.data)
	if len(annotations) == 0 {
		return nil
	}
	module := ast.MustParseModuleWithOpts("# METADATA\n# scope: subpackages\n# title: data\npackage any\n",
		ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true})
	module.Package.Path = ast.Ref{ast.DefaultRootDocument}
	module.Annotations[0].Schemas = annotations
	return module
}

// dataAnnotations goes down to where no package is beside the data, so that its rules keep their own types.
func (s *schemas) dataAnnotations(
	modules map[string]*ast.Module, at ast.Ref, schema map[string]any,
) []*ast.SchemaAnnotation {
	properties, _ := schema["properties"].(map[string]any)
	if !slices.ContainsFunc(slices.Collect(maps.Values(modules)), func(module *ast.Module) bool {
		return module.Package.Path.HasPrefix(at)
	}) {
		whole := maps.Clone(schema)
		for _, key := range []string{"$defs", "definitions"} {
			if definitions, ok := s.data[key]; ok {
				whole[key] = definitions
			}
		}
		name := ast.Ref{ast.SchemaRootDocument, ast.StringTerm("data of countersign"), ast.StringTerm(at.String())}
		s.set.Put(name, whole)
		return []*ast.SchemaAnnotation{{Path: at, Schema: name}}
	}
	var annotations []*ast.SchemaAnnotation
	for _, key := range util.KeysSorted(properties) {
		if property, ok := properties[key].(map[string]any); ok {
			annotations = append(annotations, s.dataAnnotations(modules, at.Append(ast.StringTerm(key)), property)...)
		}
	}
	return annotations
}

// dataProblems holds the data files to the schema of data.
func (s *schemas) dataProblems(data map[string]any) []problem {
	if s.data == nil {
		return nil
	}
	results, err := rego.New(
		rego.Query(`found = json.match_schema(input.data, input.schema)[1]`),
		rego.Input(map[string]any{"data": data, "schema": s.data}),
	).Eval(context.Background())
	if err != nil || len(results) != 1 {
		return []problem{{Code: "schema_invalid", Message: fmt.Sprintf("the data cannot be held to its schema: %v", err)}}
	}
	found, _ := results[0].Bindings["found"].([]any)
	var problems []problem
	for _, mismatch := range found {
		told, _ := mismatch.(map[string]any)
		field, _ := told["field"].(string)
		description, _ := told["desc"].(string)
		path := strings.Split(strings.TrimPrefix(strings.TrimPrefix(field, "(root)"), "."), ".")
		problems = append(problems, problem{
			Code:     "data_schema_error",
			Message:  fmt.Sprintf("data.%s: %s", strings.Join(path, "."), description),
			DataPath: path,
		})
	}
	return problems
}

// enumOf gives the values that the schema of input allows at a path of plain names; nil where it allows any.
func (s *schemas) enumOf(ref ast.Ref) []any {
	schema := s.input
	for _, term := range ref[1:] {
		name, ok := term.Value.(ast.String)
		if !ok {
			return nil
		}
		properties, _ := schema["properties"].(map[string]any)
		if schema, ok = properties[string(name)].(map[string]any); !ok {
			return nil
		}
	}
	values, _ := schema["enum"].([]any)
	return values
}

// inputAt is the path of the input that ends in a name, the least deep of them; empty where there is none.
func (s *schemas) inputAt(name string) string {
	type place struct {
		path   string
		schema map[string]any
	}
	for level := []place{{"input", s.input}}; len(level) > 0; {
		var below []place
		for _, at := range level {
			properties, _ := at.schema["properties"].(map[string]any)
			for _, key := range util.KeysSorted(properties) {
				if key == name {
					return at.path + "." + key
				}
				if property, ok := properties[key].(map[string]any); ok {
					below = append(below, place{at.path + "." + key, property})
				}
			}
		}
		level = below
	}
	return ""
}

// hasData tells whether the schema of data knows of a path.
func (s *schemas) hasData(ref ast.Ref) bool {
	schema := s.data
	for _, term := range ref[1:] {
		name, ok := term.Value.(ast.String)
		if !ok {
			return true
		}
		properties, described := schema["properties"].(map[string]any)
		if !described {
			return schema != nil
		}
		if schema, ok = properties[string(name)].(map[string]any); !ok {
			return false
		}
	}
	return schema != nil
}
