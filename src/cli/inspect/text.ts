import type { Inspection } from './inspection.js';

/** An inspection for people. */
export function inspectionText(inspection: Inspection): string {
  const { path, bytes, sha256, revision, roots, rego_version: regoVersion, wasm, data, files } = inspection;
  const facts: [string, string][] = [
    ['revision', revision ?? 'none in the manifest'],
    ['roots', roots.map((root) => (root === '' ? 'all of data' : root)).join(', ')],
    ['rego version', String(regoVersion)],
    ['signature', signatureText(inspection)],
    [
      'entrypoints',
      wasm ? wasm.entrypoints.join(', ') : 'not compiled (--entrypoint tells what it would need)',
    ],
  ];
  const size = bytes === undefined ? '' : `  ${count(bytes)}  sha256:${sha256}`;
  return [
    `${path}${size}`,
    ...facts.map(([name, value]) => `${name.padEnd(14)}${value}`),
    ...(wasm ? ['', ...builtinLines(wasm.builtins)] : []),
    '',
    ...(data.length === 0
      ? ['data: none']
      : ['data:', ...columns(data.map((one) => [one.path, count(one.bytes)]))]),
    '',
    'files:',
    ...columns(files.map((file) => [file.path, count(file.bytes), `sha256:${file.sha256}`])),
    '',
  ].join('\n');
}

function signatureText({ signature }: Inspection): string {
  if (signature === undefined) return 'none';
  const { algorithm, key_id: keyId, scope, issued, expires, files, verified, problem } = signature;
  const claims = [
    algorithm,
    keyId === undefined ? 'names no key' : `key ${keyId}`,
    scope === undefined ? undefined : `scope ${scope}`,
    issued === undefined ? undefined : `issued ${issued}`,
    expires === undefined ? undefined : `expires ${expires}`,
    files === undefined ? undefined : `${files} files`,
  ].filter((part) => part !== undefined);
  const verdict = verified
    ? 'verified'
    : problem === undefined
      ? 'not verified (--verification-key verifies it)'
      : `NOT VALID: ${problem}`;
  return `${verdict}; ${claims.join(', ')}`;
}

function builtinLines(builtins: NonNullable<Inspection['wasm']>['builtins']): string[] {
  if (builtins.length === 0) return ['built-ins of the host: none needed'];
  return [
    'built-ins of the host:',
    ...columns(
      builtins.map(({ name, here, reason }) => [
        name,
        here
          ? 'here'
          : `NOT HERE: the server refuses this policy${reason === undefined ? '' : ` (${reason})`}`,
      ]),
    ),
  ];
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, at) => Math.max(widest[at] ?? 0, cell.length)),
    [],
  );
  return rows.map(
    (row) =>
      `  ${row
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join('  ')
        .trimEnd()}`,
  );
}

function count(bytes: number): string {
  return `${bytes} byte${bytes === 1 ? '' : 's'}`;
}
