import { parentPort, type TransferListItem } from 'node:worker_threads';
import { isRefusal, type Refusal } from '../errors/refusal.js';
import { openBundle, type BundleContent, type BundleParcel } from '../policy/bundle.js';
import { layOutPolicy } from '../policy/evaluator.js';
import { runInBackground } from '../rego/opa-command.js';
import { packData, unpackData } from './parcel.js';
import { readBundleFile, readPolicyFolder } from './policy-files.js';
import { preparePolicy, sha256 } from './policy-loader.js';
import type { PolicyQuestion, PolicyReply } from './policy-messages.js';

/**
 * The thread of large policies: however long reading and parsing takes, decisions go on. It keeps the priority of the
 * others: memory is mapped under one lock for all, and whoever holds that must not be waiting for a processor.
 */
runInBackground();

/** What was opened is prepared next, as a rule: its data need not be parsed again. */
const opened = new Map<string, BundleContent>();

type Prepare = Extract<PolicyQuestion, { kind: 'prepare' }>;

async function answer(question: PolicyQuestion): Promise<PolicyReply> {
  switch (question.kind) {
    case 'folder':
      return keep(await readPolicyFolder(question.path, question.entrypoints));
    case 'file':
      return keep(await readBundleFile(question.path, question.options, openBundle));
    case 'bundle':
      return keep(await openBundle(question.bytes, question.options));
    case 'prepare':
      return prepare(question);
  }
}

function keep(content: BundleContent | Refusal): PolicyReply {
  if (isRefusal(content)) return { refusal: content };
  opened.set(content.digest, content);
  return { opened: { ...content, data: packData(content.data) } };
}

function contentOf(part: BundleParcel): BundleContent {
  return opened.get(part.digest) ?? { ...part, data: unpackData(part.data) };
}

async function prepare({ parts, entrypoints, last, layOut }: Prepare): Promise<PolicyReply> {
  const contents = new Map(parts.map(([name, part]) => [name, contentOf(part)]));
  opened.clear();
  const outcome = await preparePolicy(contents, entrypoints, last);
  if (isRefusal(outcome)) return { refusal: outcome };
  const { prepared, compiled } = outcome;
  const made = compiled && { compiled };
  if (layOut === false)
    return { prepared: { ...prepared, data: packData(prepared.data as BundleContent['data']) }, ...made };
  const { known } = layOut;
  const laidOut = await layOutPolicy(prepared, known?.digest === sha256(prepared.wasm) ? known : undefined);
  if (isRefusal(laidOut)) return { refusal: laidOut };
  return { prepared: { ...prepared, data: {} }, laidOut, ...made };
}

parentPort!.on('message', ({ id, ...question }: PolicyQuestion & { id: number }) => {
  void answer(question).then((reply) => {
    const image = reply.laidOut?.image.bytes.buffer;
    parentPort!.postMessage({ ...reply, id }, image ? [image as TransferListItem] : []);
  });
});
