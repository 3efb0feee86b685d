// What the list of revocations costs a decision: `npm run build && node bench/revocation.mjs`.
// CPU, in nanoseconds, for both questions of one request (its workload, its token), of whom nothing is revoked: remembered ones,
// as most are, and ones that are seen for the first time.
import { RevocationBook } from '../dist/revocation/book.js';
import { createRevocationCheck } from '../dist/revocation/check.js';
import { readEntry } from '../dist/revocation/entry.js';
import { createCell } from '../dist/feed/cell.js';

const now = Date.now();
const identity = { spiffeId: 'spiffe://example.org/ns/shop/sa/frontend' };
const token = {
  issuer: 'https://idp.example.org',
  subject: 'alice',
  clientId: 'frontend',
  issuedAt: now / 1000,
  claims: { jti: '0b7c7f0e-4d65-4a53-8ad2-6a3b1d6ad6c1', sid: 'a-session' },
};

/** A tenth of each kind, and jti for the rest. */
function entryOf(number) {
  const kinds = [
    { issuer: `https://idp-${number}.example.org` },
    { issuer: token.issuer, subject: `user-${number}` },
    { issuer: token.issuer, client: `client-${number}` },
    { issuer: token.issuer, session: `session-${number}` },
    { spiffe_id: `spiffe://example.org/ns/shop/sa/${number}` },
    { spiffe_id: `spiffe://example.org/ns/${number}/*` },
  ];
  return readEntry(kinds[number % 10] ?? { jti: `jti-${number}` }, { source: 'admin', now });
}

for (const size of [0, 1_000, 100_000]) {
  const book = new RevocationBook();
  const check = createRevocationCheck({
    shards: book.shards,
    status: createCell({ loaded: true, entries: size }),
    maxStale: 0,
  });
  for (let number = 0; number < size; number++) book.put('said', entryOf(number));
  book.publish();

  const rounds = 500_000;
  const ask = (times, fresh) => {
    let refused = 0;
    for (let i = 0; i < times; i++) {
      const who = fresh ? { ...identity } : identity;
      if (check.identity(who, now)) refused++;
      if (check.token(fresh ? { ...token } : token, who, now)) refused++;
    }
    return refused;
  };
  const cost = (fresh) => {
    ask(rounds / 10, fresh);
    const samples = Array.from({ length: 5 }, () => {
      const started = process.cpuUsage();
      if (ask(rounds, fresh) !== 0) throw new Error('nothing here is revoked');
      return (process.cpuUsage(started).user * 1_000) / rounds;
    });
    return samples
      .sort((a, b) => a - b)[2]
      .toFixed(0)
      .padStart(5);
  };

  const changes = 200;
  const started = process.cpuUsage();
  for (let number = size; number < size + changes; number++) {
    book.put('said', entryOf(number));
    book.publish();
  }
  const change = process.cpuUsage(started).user / changes;
  console.log(
    `${String(size).padStart(7)} entries: ${cost(false)} ns a decision, ${cost(true)} ns the first, ${change.toFixed(0).padStart(4)} µs a change in force here`,
  );
}
