// The other side of the conformance and the differential tests: OPA itself, built for this machine.
//
//	opa cases CASES OUT          compiles each of OPA's own cases to Wasm
//	opa differ POLICIES OUT      compiles each policy to Wasm, and evaluates it on its inputs with topdown
package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	// The Wasm under test is what ships: the host computes what it does there.
	_ "countersign/opa/hosted"

	"github.com/open-policy-agent/opa/v1/rego"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: opa cases|differ IN OUT")
	}
	switch args[0] {
	case "cases":
		return compileCases(args[1], args[2])
	case "differ":
		return differ(args[1], args[2])
	}
	return fmt.Errorf("no command %q", args[0])
}

// parallel calls each with every index below n, on as many threads as there are processors.
func parallel(n int, each func(int)) {
	next := make(chan int)
	var wait sync.WaitGroup
	for range runtime.NumCPU() {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range next {
				each(i)
			}
		}()
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
}

// compileTo writes a query's module to the folder, compressed, since there are thousands of them.
func compileTo(folder, name string, options ...func(*rego.Rego)) error {
	compiled, err := rego.New(options...).Compile(context.Background())
	if err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(folder, name))
	if err != nil {
		return err
	}
	defer file.Close()
	writer, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := writer.Write(compiled.Bytes); err != nil {
		return err
	}
	return writer.Close()
}

func writeJSON(path string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
