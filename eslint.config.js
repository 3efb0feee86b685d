import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/**
 * The arrows of ARCHITECTURE.md: what each folder of src may import of ours. `types` may be imported as
 * types only. Anything not listed is refused, so a new folder starts with no arrows at all.
 */
export const ARROWS = {
  errors: { may: [] },
  json: { may: [] },
  asn1: { may: [] },
  feed: { may: [] },
  jws: { may: ['errors', 'json'] },
  config: { may: [] },
  identity: { may: ['errors', 'json', 'asn1', 'feed', 'jws'] },
  spiffe: { may: ['errors', 'json', 'feed', 'jws', 'identity'] },
  policy: { may: ['errors', 'json', 'asn1'] },
  token: { may: ['errors', 'json', 'feed', 'jws'], types: ['identity'] },
  rego: { may: ['errors'], types: ['policy'] },
  revocation: { may: ['errors', 'json', 'feed', 'jws', 'identity'], types: ['token'] },
  valkey: { may: ['jws', 'revocation'] },
  broker: { may: ['errors', 'feed', 'jws', 'token'], types: ['identity', 'policy'] },
  decision: { may: ['errors', 'json', 'identity', 'token', 'policy', 'revocation', 'broker'] },
  envoy: { may: ['errors', 'json'], types: ['decision'] },
  telemetry: { may: ['errors', 'json'], types: ['decision'] },
  admin: { may: [], types: ['telemetry', 'policy'] },
  server: { may: ['errors', 'json', 'identity', 'token', 'policy', 'decision', 'envoy', 'telemetry'] },
  demo: { may: ['errors', 'identity', 'envoy', 'server'] },
};

const FOLDERS = [...Object.keys(ARROWS), 'cli'];

const arrows = Object.entries(ARROWS).map(([folder, { may, types = [] }]) => ({
  files: [`src/${folder}/**/*.ts`],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: FOLDERS.filter((other) => other !== folder && !may.includes(other)).map((other) => ({
          group: [`**/../${other}/*`, `../${other}/*`],
          message: `src/${folder} must not import src/${other} (ARCHITECTURE.md, "The arrows").`,
          allowTypeImports: types.includes(other),
        })),
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        Buffer: 'readonly',
        fetch: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        performance: 'readonly',
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  { files: ['src/cli/**', 'src/demo/**', 'bench/**', '**/*.mjs'], rules: { 'no-console': 'off' } },
  {
    // The core takes its clock, its fetch and its key sources as arguments.
    files: ['src/{identity,spiffe,jws,token,broker,policy,decision,envoy}/**/*.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Take the clock as an argument.' },
      ],
      'no-restricted-globals': ['error', { name: 'fetch', message: 'Take fetch as an argument.' }],
    },
  },
  ...arrows,
);
