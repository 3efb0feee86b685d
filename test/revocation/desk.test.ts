import { createRevocationAuthority, NOT_KEPT, type AuditEvent } from '../../src/revocation/authority.js';
import { createDesk, type DeskRequest } from '../../src/revocation/desk.js';
import { StoreError, type RevocationStore, type StoreSink } from '../../src/revocation/store.js';
import type { Revocation } from '../../src/revocation/types.js';
import { entry, NOW, SECONDS } from './support.js';

/** A store in memory that fails when it is told to. */
function fakeStore() {
  const entries = new Map<string, Revocation>();
  let sink: StoreSink;
  const store: RevocationStore & { failure?: StoreError } = {
    async start(to) {
      sink = to;
      sink.replace(entries);
      sink.reached();
    },
    async add(one) {
      if (store.failure) throw store.failure;
      entries.set(one.id, one);
      sink.put([one]);
      return one;
    },
    async lift(id) {
      sink.remove([id]);
      return entries.delete(id);
    },
    async stop() {},
  };
  return store;
}

async function open(file: readonly Revocation[] = []) {
  const store = fakeStore();
  const audit: AuditEvent[] = [];
  const authority = createRevocationAuthority({
    readFile: async () => new Map(file.map((one) => [one.id, one])),
    store,
    now: () => NOW,
    onAudit: (event) => audit.push(event),
  });
  await authority.status.start();
  const desk = createDesk({
    ask: (question) => authority.answer(question),
    kept: 'here',
    longestLife: () => 3_600_000,
    now: () => NOW,
  });
  const send = (method: string, request: Partial<DeskRequest> = {}) =>
    desk({ method, id: '', query: new URLSearchParams(), body: '', from: '127.0.0.1', ...request });
  const post = (body: unknown) =>
    send('POST', { body: typeof body === 'string' ? body : JSON.stringify(body) });
  return { authority, audit, store, send, post };
}
type Listed = { entries: Revocation[]; total: number };

describe('an operator', () => {
  test('may say the same twice, and it is one entry; both are in the audit log', async () => {
    const { post, send, audit } = await open();
    const first = await post({ subject: 'alice', reason: 'left' });
    expect(first).toMatchObject({
      status: 200,
      body: { entries: [{ subject: 'alice', source: 'admin' }], total: 1, kept: 'here' },
    });
    expect(await post({ subject: 'alice', reason: 'left' })).toEqual(first);
    expect((await send('GET')).body).toMatchObject({ total: 1 });
    expect(audit).toEqual(
      [1, 2].map(() => ({
        action: 'revoked',
        from: '127.0.0.1',
        entry: expect.objectContaining({ reason: 'left' }),
      })),
    );
  });

  test('lifts an entry by its id, once', async () => {
    const { post, send, audit } = await open();
    await post({ subject: 'alice' });
    const { id } = entry({ subject: 'alice' });
    expect(await send('DELETE', { id })).toEqual({ status: 200, body: { lifted: id } });
    expect(await send('DELETE', { id })).toMatchObject({ status: 404 });
    expect(audit.map(({ action }) => action)).toEqual(['revoked', 'lifted']);
  });

  test('is sent to the file for what stands in the file', async () => {
    const listed = entry({ subject: 'alice' }, 'file');
    const { send, post } = await open([listed]);
    expect(await send('DELETE', { id: listed.id })).toMatchObject({
      status: 409,
      body: { error: 'in_file' },
    });
    await post({ subject: 'alice' });
    expect(await send('DELETE', { id: listed.id })).toMatchObject({ status: 409 });
    expect(((await send('GET')).body as Listed).entries.map(({ source }) => source)).toEqual(['file']);
  });

  test('reads a long list page by page', async () => {
    const { post, send } = await open();
    await post(Array.from({ length: 1000 }, (_, i) => ({ jti: `${i}` })));
    await post(Array.from({ length: 500 }, (_, i) => ({ jti: `x${i}` })));
    const first = (await send('GET')).body as Listed;
    expect([first.entries.length, first.total]).toEqual([1000, 1500]);
    const rest = (await send('GET', { query: new URLSearchParams({ after: first.entries.at(-1)!.id }) }))
      .body as Listed;
    expect(new Set([...first.entries, ...rest.entries].map(({ jti }) => jti)).size).toBe(1500);
  });

  test('gets an end for what is about issued tokens alone', async () => {
    const { post } = await open();
    expect((await post({ jti: 'x' })).body).toMatchObject({ entries: [{ expires: SECONDS + 3600 }] });
  });

  test.each([
    ['{', /not JSON/],
    [[], /0 entries/],
    [Array.from({ length: 1001 }, () => ({ jti: 'x' })), /1001 entries/],
    [{ subjet: 'a' }, /^subjet is no member/],
    [[{ subject: 'a' }, { expires: 1 }], /^\[1\] names nothing/],
    [{ subject: 'a', expires: SECONDS }, /^expires is over/],
  ])('is told what is wrong with %j', async (body, detail) => {
    const { post, send } = await open();
    const answer = await post(body);
    expect(answer).toMatchObject({
      status: 400,
      body: { error: 'invalid_request', detail: expect.stringMatching(detail) },
    });
    expect((await send('GET')).body).toMatchObject({ total: 0 });
  });

  test('is told when there is no room, when the store fails, and when nothing would be kept', async () => {
    const { post, store } = await open();
    store.failure = new StoreError('list_full', 'there are 100 entries already');
    expect(await post({ subject: 'a' })).toMatchObject({ status: 507, body: { error: 'list_full' } });
    store.failure = new StoreError('store_unavailable', 'gone');
    expect(await post({ subject: 'a' })).toMatchObject({ status: 503, body: { error: 'store_unavailable' } });
    const without = createDesk({
      ask: () => NOT_KEPT,
      kept: 'here',
      longestLife: () => 1000,
      now: () => NOW,
    });
    const request = { method: 'POST', id: '', query: new URLSearchParams(), body: '{"jti":"x"}', from: '' };
    expect(await without(request)).toMatchObject({ status: 409, body: { error: 'not_kept' } });
    const gone = createDesk({
      ask: () => Promise.reject(new Error('IPC')),
      kept: 'here',
      longestLife: () => 1000,
      now: () => NOW,
    });
    expect(await gone(request)).toMatchObject({ status: 503 });
  });

  test.each(['PUT', 'PATCH', 'DELETE', 'HEAD'])('cannot %s the list', async (method) => {
    expect(await (await open()).send(method)).toMatchObject({ status: 405 });
  });
});
