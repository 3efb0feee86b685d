import { define } from '../json/define.js';
import { decodeMetadata } from './decode-metadata.js';
import type {
  Address,
  Attributes,
  CheckRequest,
  HeaderValue,
  HttpRequest,
  Peer,
  Timestamp,
} from './messages.js';
import { SharedTexts } from './shared-texts.js';
import { bytes, varint, WireReader } from './wire-reader.js';

/** Certificates of peers that are remembered as text: 256 of 2 KiB, twice. */
const certificates = new SharedTexts(256);

type Writable<T> = { -readonly [name in keyof T]: T[name] };

/**
 * An envoy.service.auth.v3.CheckRequest from protobuf. Written by hand, because it is read for every request of the mesh:
 * general decoders make each message twice, as their own object and as a plain one (docs/performance.md).
 *
 * A field that is not known is passed over; of one that repeats the last counts.
 *
 * @throws RangeError for bytes that are no CheckRequest
 */
export function decodeCheckRequest(message: Buffer): CheckRequest {
  const reader = new WireReader(message);
  const request: Writable<CheckRequest> = {};
  while (reader.more(reader.length)) {
    const tag = reader.tag();
    if (tag === bytes(1)) request.attributes = attributes(reader, reader.end());
    else reader.skip(tag);
  }
  return request;
}

/** envoy.service.auth.v3.AttributeContext */
function attributes(reader: WireReader, end: number): Attributes {
  const message: Writable<Attributes> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    switch (tag) {
      case bytes(1):
        message.source = peer(reader, reader.end());
        break;
      case bytes(2):
        message.destination = peer(reader, reader.end());
        break;
      case bytes(4):
        message.request = request(reader, reader.end());
        break;
      case bytes(10):
        entry(reader, (message.contextExtensions ??= {}));
        break;
      case bytes(11):
        message.metadataContext = decodeMetadata(reader, reader.end());
        break;
      case bytes(12):
        message.tlsSession = tlsSession(reader, reader.end());
        break;
      case bytes(13):
        message.routeMetadataContext = decodeMetadata(reader, reader.end());
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

function peer(reader: WireReader, end: number): Peer {
  const message: Writable<Peer> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    switch (tag) {
      case bytes(1):
        message.address = address(reader, reader.end());
        break;
      case bytes(2):
        message.service = reader.string();
        break;
      case bytes(3):
        entry(reader, (message.labels ??= {}));
        break;
      case bytes(4):
        message.principal = reader.string();
        break;
      case bytes(5):
        message.certificate = reader.shared(certificates);
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

/** envoy.config.core.v3.Address */
function address(reader: WireReader, end: number): Address {
  const message: Writable<Address> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    switch (tag) {
      case bytes(1):
        message.socketAddress = socketAddress(reader, reader.end());
        break;
      case bytes(2):
        message.pipe = pipe(reader, reader.end());
        break;
      case bytes(3):
        message.envoyInternalAddress = internalAddress(reader, reader.end());
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

function socketAddress(reader: WireReader, end: number): NonNullable<Address['socketAddress']> {
  const message: Writable<NonNullable<Address['socketAddress']>> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    switch (tag) {
      case varint(1):
        message.protocol = reader.int32();
        break;
      case bytes(2):
        message.address = reader.string();
        break;
      case varint(3):
        message.portValue = reader.uint32();
        break;
      case bytes(4):
        message.namedPort = reader.string();
        break;
      case bytes(5):
        message.resolverName = reader.string();
        break;
      case varint(6):
        message.ipv4Compat = reader.bool();
        break;
      case bytes(7):
        message.networkNamespaceFilepath = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

function pipe(reader: WireReader, end: number): NonNullable<Address['pipe']> {
  const message: Writable<NonNullable<Address['pipe']>> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === bytes(1)) message.path = reader.string();
    else if (tag === varint(2)) message.mode = reader.uint32();
    else reader.skip(tag);
  }
  return message;
}

function internalAddress(reader: WireReader, end: number): NonNullable<Address['envoyInternalAddress']> {
  const message: Writable<NonNullable<Address['envoyInternalAddress']>> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === bytes(1)) message.serverListenerName = reader.string();
    else if (tag === bytes(2)) message.endpointId = reader.string();
    else reader.skip(tag);
  }
  return message;
}

function request(reader: WireReader, end: number): NonNullable<Attributes['request']> {
  const message: Writable<NonNullable<Attributes['request']>> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === bytes(1)) message.time = timestamp(reader, reader.end());
    else if (tag === bytes(2)) message.http = httpRequest(reader, reader.end());
    else reader.skip(tag);
  }
  return message;
}

/** google.protobuf.Timestamp */
function timestamp(reader: WireReader, end: number): Timestamp {
  const message: Writable<Timestamp> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === varint(1)) message.seconds = reader.int64();
    else if (tag === varint(2)) message.nanos = reader.int32();
    else reader.skip(tag);
  }
  return message;
}

function httpRequest(reader: WireReader, end: number): HttpRequest {
  const message: Writable<HttpRequest> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    switch (tag) {
      case bytes(1):
        message.id = reader.string();
        break;
      case bytes(2):
        message.method = reader.string();
        break;
      case bytes(3):
        entry(reader, (message.headers ??= {}));
        break;
      case bytes(4):
        message.path = reader.string();
        break;
      case bytes(5):
        message.host = reader.string();
        break;
      case bytes(6):
        message.scheme = reader.string();
        break;
      case bytes(7):
        message.query = reader.string();
        break;
      case bytes(8):
        message.fragment = reader.string();
        break;
      case varint(9):
        message.size = reader.int64();
        break;
      case bytes(10):
        message.protocol = reader.string();
        break;
      case bytes(11):
        message.body = reader.string();
        break;
      case bytes(12):
        message.rawBody = reader.bytes();
        break;
      case bytes(13):
        message.headerMap = headerMap(reader, reader.end());
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

/** envoy.config.core.v3.HeaderMap */
function headerMap(reader: WireReader, end: number): NonNullable<HttpRequest['headerMap']> {
  const headers: HeaderValue[] = [];
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === bytes(1)) headers.push(headerValue(reader, reader.end()));
    else reader.skip(tag);
  }
  return headers.length > 0 ? { headers } : {};
}

function headerValue(reader: WireReader, end: number): HeaderValue {
  const message: Writable<HeaderValue> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === bytes(1)) message.key = reader.string();
    else if (tag === bytes(2)) message.value = reader.string();
    else if (tag === bytes(3)) message.rawValue = reader.bytes();
    else reader.skip(tag);
  }
  return message;
}

function tlsSession(reader: WireReader, end: number): NonNullable<Attributes['tlsSession']> {
  const message: Writable<NonNullable<Attributes['tlsSession']>> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === bytes(1)) message.sni = reader.string();
    else reader.skip(tag);
  }
  return message;
}

/** One entry of a map<string, string>; what it leaves out is empty. */
function entry(reader: WireReader, map: { [name: string]: string }): void {
  const end = reader.end();
  let key = '';
  let value = '';
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === bytes(1)) key = reader.string();
    else if (tag === bytes(2)) value = reader.string();
    else reader.skip(tag);
  }
  define(map, key, value);
}
