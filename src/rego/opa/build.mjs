/**
 * Builds src/rego/opa.wasm.br, OPA's compiler for WASI. With --check it builds to a temporary folder and
 * compares, so that the one generated file of the tree provably comes from the sources beside this script.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';

const SOURCES = fileURLToPath(new URL('.', import.meta.url));
const ARTEFACT = fileURLToPath(new URL('../opa.wasm.br', import.meta.url));

/** The compiler's version shows in the bytes: only this one gives the same hash. */
const TOOLCHAIN = /^toolchain (\S+)$/m.exec(readFileSync(join(SOURCES, 'go.mod'), 'utf8'))[1];

/** Everything that changes what Go emits, pinned, whatever the machine's own settings are. */
const ENVIRONMENT = {
  ...process.env,
  GOOS: 'wasip1',
  GOARCH: 'wasm',
  CGO_ENABLED: '0',
  GOFLAGS: '-buildvcs=false',
  GOWASM: '',
  GOEXPERIMENT: '',
  GOFIPS140: 'off',
  GOWORK: 'off',
  // This toolchain or none: one on PATH is taken, none is downloaded.
  GOTOOLCHAIN: `${TOOLCHAIN}+path`,
};

const checking = process.argv.includes('--check');
const found = goVersion(ENVIRONMENT);
if (found === TOOLCHAIN) {
  const wasm = build();
  if (checking) compare(wasm);
  else write(wasm);
} else {
  const other = found ?? goVersion({ ...process.env, GOTOOLCHAIN: 'local' }) ?? 'no Go';
  console.log(`${checking ? 'skipped: ' : ''}Go ${TOOLCHAIN.slice(2)} needed, found ${other}`);
  process.exitCode = checking ? 0 : 1;
}

function go(args, env, stderr) {
  return execFileSync('go', args, { cwd: SOURCES, env, encoding: 'utf8', stdio: ['ignore', 'pipe', stderr] });
}

/** The version that would build, `go1.2.3`; undefined where there is none. */
function goVersion(env) {
  try {
    return go(['env', 'GOVERSION'], env, 'ignore').trim();
  } catch {
    return undefined;
  }
}

function build() {
  const folder = mkdtempSync(join(tmpdir(), 'opa-wasm-'));
  try {
    const out = join(folder, 'opa.wasm');
    go(['build', '-trimpath', '-ldflags=-s -w -buildid=', '-o', out, '.'], ENVIRONMENT, 'inherit');
    return readFileSync(out);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

function compare(built) {
  const committed = sha256(brotliDecompressSync(readFileSync(ARTEFACT)));
  const rebuilt = sha256(built);
  if (committed === rebuilt) {
    console.log(`src/rego/opa.wasm.br comes from these sources (SHA-256 ${rebuilt})`);
    return;
  }
  console.error(
    `src/rego/opa.wasm.br does not come from these sources: it holds SHA-256 ${committed},\n` +
      `${TOOLCHAIN} builds ${rebuilt}. Run \`npm run rego:build\` and commit the file.`,
  );
  process.exitCode = 1;
}

function write(wasm) {
  // Brotli's own output may change between versions of Node; what it holds does not, and that is compared.
  const compressed = brotliCompressSync(wasm, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: wasm.length,
    },
  });
  writeFileSync(ARTEFACT, compressed);
  console.log(`src/rego/opa.wasm.br: ${compressed.length} bytes, ${wasm.length} decompressed`);
  console.log(`SHA-256 of the decompressed: ${sha256(wasm)}`);
}
