// Command opa is OPA's Rego compiler, tester and formatter behind one question and one answer: the command's
// name is the only argument, its request is one JSON document on standard input, its answer one JSON document
// on standard output. It touches no file and no network, so that it runs under WASI with nothing granted.
//
// The exit code is 0 whenever there is an answer, also one that lists errors. Anything else is a fault of
// this program, told on standard error.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	_ "countersign/opa/hosted"
)

// commands maps a name to what reads its request and gives its answer.
var commands = map[string]func(request *json.Decoder) (answer any, err error){
	"build":   build,
	"check":   checkSources,
	"eval":    eval,
	"explain": explain,
	"fmt":     formatFiles,
	"test":    test,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 || commands[args[0]] == nil {
		return fmt.Errorf("want the name of one command, got %q", args)
	}
	request := json.NewDecoder(os.Stdin)
	// A member that this program does not know would be an instruction that it silently ignores.
	request.DisallowUnknownFields()
	answer, err := commands[args[0]](request)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		return err
	}
	_, err = os.Stdout.Write(out.Bytes())
	return err
}
