package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/loader/filter"
	"github.com/open-policy-agent/opa/v1/util"
)

// sourceFile is a policy or a data file; Path is relative to the bundle's root, with forward slashes.
type sourceFile struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

func (f sourceFile) isPolicy() bool { return strings.HasSuffix(f.Path, bundle.RegoExt) }

func (f sourceFile) isData() bool {
	return path.Base(f.Path) == "data.json" || bundle.IsYAMLDataFile(f.Path)
}

// load reads sources as OPA reads a bundle's directory: policies of Rego v1, and data files that sit under
// data where their folder says.
func load(files []sourceFile) (*bundle.Bundle, []problem) {
	var problems []problem
	for _, file := range files {
		// Anything else in a bundle (a manifest, a patch, signatures) would be an instruction to OPA.
		if !fs.ValidPath(file.Path) || !(file.isPolicy() || file.isData()) {
			problems = append(problems, problem{
				Code:    "source_path_invalid",
				Message: fmt.Sprintf("%q is not a relative path of a .rego, data.json, data.yaml or data.yml file", file.Path),
			})
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}

	loaded, err := bundle.NewCustomReader(&requestLoader{files: files}).
		WithRegoVersion(ast.RegoV1).
		WithProcessAnnotations(true).
		Read()
	if err != nil {
		// The reader tells of one file, whichever came first, and of a data file without its line.
		if problems := inspect(files); len(problems) > 0 {
			return nil, problems
		}
		return nil, problemsOf(err, "load_error")
	}
	loaded.SetRegoVersion(ast.RegoV1)
	return &loaded, nil
}

// inspect parses every file by itself, for all of their errors with their places.
func inspect(files []sourceFile) []problem {
	var problems []problem
	for _, file := range files {
		var err error
		code := "data_parse_error"
		if file.isPolicy() {
			_, err = ast.ParseModuleWithOpts(file.Path, file.Content, ast.ParserOptions{
				RegoVersion:       ast.RegoV1,
				ProcessAnnotation: true,
			})
		} else {
			err = parseData(file)
		}
		if err == nil {
			continue
		}
		for _, p := range problemsOf(err, code) {
			if p.File == "" {
				p.place = dataPlace(file, err)
			}
			problems = append(problems, p)
		}
	}
	problems = locate(problems, files)
	for i, p := range problems {
		// OPA takes a keyword that is misspelt for a rule.
		if words := strings.Fields(p.LineText); len(words) > 1 && p.Message == "var cannot be used for rule name" {
			if meant := closest(words[0], []string{"default", "import", "package"}); meant != "" && meant != words[0] {
				problems[i].Message += fmt.Sprintf(": did you mean %s?", meant)
			}
		}
	}
	return problems
}

func parseData(file sourceFile) error {
	var value any
	if bundle.IsYAMLDataFile(file.Path) {
		return util.Unmarshal([]byte(file.Content), &value)
	}
	return util.UnmarshalJSON([]byte(file.Content), &value)
}

var yamlLine = regexp.MustCompile(`\bline (\d+)\b`)

// dataPlace finds where a data file stops being one, as far as the parser says.
func dataPlace(file sourceFile, err error) place {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		before := file.Content[:min(max(int(syntax.Offset)-1, 0), len(file.Content))]
		return place{
			File: file.Path,
			Row:  strings.Count(before, "\n") + 1,
			Col:  utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:]) + 1,
		}
	}
	at := place{File: file.Path}
	if match := yamlLine.FindStringSubmatch(err.Error()); match != nil {
		at.Row, _ = strconv.Atoi(match[1])
		at.Col = 1
	}
	return at
}

// requestLoader gives the request's files to OPA's bundle reader, in their order.
type requestLoader struct {
	files []sourceFile
	next  int
}

func (l *requestLoader) NextFile() (*bundle.Descriptor, error) {
	if l.next == len(l.files) {
		return nil, io.EOF
	}
	file := l.files[l.next]
	l.next++
	return bundle.NewDescriptor(file.Path, file.Path, bytes.NewBufferString(file.Content)), nil
}

func (l *requestLoader) WithFilter(filter.LoaderFilter) bundle.DirectoryLoader   { return l }
func (l *requestLoader) WithPathFormat(bundle.PathFormat) bundle.DirectoryLoader { return l }
func (l *requestLoader) WithSizeLimitBytes(int64) bundle.DirectoryLoader         { return l }
func (l *requestLoader) WithFollowSymlinks(bool) bundle.DirectoryLoader          { return l }
