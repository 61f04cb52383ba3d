// Google's own client against the emulator whose address is the first argument.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { IdempotencyStrategy, Storage } from '@google-cloud/storage';

const apiEndpoint = process.argv[2];
const storage = new Storage({ apiEndpoint, projectId: 'test' });
const content = randomBytes(3_000_001);
const bucket = storage.bucket('node-bucket');

const fails = (code, action) => assert.rejects(action, error => (assert.equal(error.code, code), true));
const faults = plan => fetch(`${apiEndpoint}/_emulator/faults`, { method: 'PUT', body: JSON.stringify(plan) });

const stories = {
  async buckets() {
    await storage.createBucket('node-bucket');
    await fails(409, () => storage.createBucket('node-bucket'));
    assert.deepEqual(await bucket.exists(), [true]);
    assert.deepEqual(await storage.bucket('another-bucket').exists(), [false]);
    assert.ok((await storage.getBuckets())[0].some(found => found.name === 'node-bucket'));
  },
  async resumable() {
    const file = bucket.file('folder/ä b?#%2F/resumable');
    await file.save(content, { resumable: true, validation: true });
    assert.ok((await file.download({ validation: 'crc32c' }))[0].equals(content));
    assert.ok((await file.download({ validation: 'md5' }))[0].equals(content));
  },
  async chunked() {
    const file = bucket.file('folder/chunked');
    await file.save(content, { resumable: true, chunkSize: 256 * 1024 });
    assert.ok((await file.download())[0].equals(content));
  },
  async multipart() {
    const file = bucket.file('multipart');
    await file.save('hello', { resumable: false, validation: 'md5', metadata: { contentType: 'text/x', metadata: { k: 'v' } } });
    const [metadata] = await file.getMetadata();
    assert.equal(metadata.md5Hash, 'XUFAKrxLKna5cZ2REBfFkg==');
    assert.deepEqual([String(metadata.size), metadata.contentType, metadata.metadata.k], ['5', 'text/x', 'v']);
  },
  async streams() {
    const file = bucket.file('streamed');
    await pipeline(Readable.from([content.subarray(0, 1_000_000), content.subarray(1_000_000)]), file.createWriteStream());
    const parts = [];
    for await (const part of file.createReadStream()) parts.push(part);
    assert.ok(Buffer.concat(parts).equals(content));
  },
  async ranges() {
    const file = bucket.file('multipart');
    assert.equal((await file.download({ start: 1, end: 2 }))[0].toString(), 'el');
    assert.equal((await file.download({ start: 3 }))[0].toString(), 'lo');
  },
  async corruption() {
    await fails(400, () => bucket.file('corrupt').save('hello', { resumable: false, validation: false, metadata: { md5Hash: 'AAAAAAAAAAAAAAAAAAAAAA==' } }));
    assert.deepEqual(await bucket.file('corrupt').exists(), [false]);
  },
  async list() {
    const names = async query => (await bucket.getFiles(query))[0].map(file => file.name);
    assert.deepEqual(await names({}), ['folder/chunked', 'folder/ä b?#%2F/resumable', 'multipart', 'streamed']);
    assert.deepEqual(await names({ prefix: 'folder/', startOffset: 'folder/d' }), ['folder/ä b?#%2F/resumable']);
    const [files, next, answer] = await bucket.getFiles({ delimiter: '/', maxResults: 2, autoPaginate: false });
    assert.deepEqual([files.map(file => file.name), answer.prefixes], [['multipart'], ['folder/']]);
    const [rest, none] = await bucket.getFiles(next);
    assert.deepEqual([rest.map(file => file.name), none], [['streamed'], null]);
  },
  async copy() {
    await bucket.file('multipart').copy(bucket.file('copy'));
    assert.equal((await bucket.file('copy').download())[0].toString(), 'hello');
    await bucket.file('copy').move('moved');
    assert.deepEqual([await bucket.file('copy').exists(), await bucket.file('moved').exists()], [[false], [true]]);
  },
  async metadata() {
    const [changed] = await bucket.file('multipart').setMetadata({ cacheControl: 'no-store', metadata: { k: null, x: 'y' } });
    assert.deepEqual([changed.cacheControl, changed.metadata, String(changed.metageneration)], ['no-store', { x: 'y' }, '2']);
  },
  async preconditions() {
    const file = bucket.file('conditional');
    await file.save('1', { preconditionOpts: { ifGenerationMatch: 0 } });
    await fails(412, () => file.save('2', { preconditionOpts: { ifGenerationMatch: 0 } }));
    await fails(412, () => file.save('2', { resumable: false, preconditionOpts: { ifGenerationMatch: 0 } }));
    const generation = (await file.getMetadata())[0].generation;
    await fails(412, () => file.delete({ ifGenerationMatch: 1 }));
    await fails(412, () => file.setMetadata({ cacheControl: 'x' }, { ifMetagenerationMatch: 9 }));
    await file.delete({ ifGenerationMatch: generation });
    await fails(404, () => file.getMetadata());
  },
  async retry() {
    await faults([{ action: 'status', status: 503, count: 1, namePrefix: 'flaky' }, { action: 'drop', method: 'GET', count: 1, namePrefix: 'flaky' }]);
    const retryOptions = { retryDelayMultiplier: 1, idempotencyStrategy: IdempotencyStrategy.RetryAlways };
    const file = new Storage({ apiEndpoint, projectId: 'test', retryOptions }).bucket('node-bucket').file('flaky');
    await file.save(content);
    assert.ok((await file.getMetadata())[0].size);
    const fired = (await (await fetch(`${apiEndpoint}/_emulator/faults`)).json()).map(fault => fault.fired);
    assert.deepEqual(fired, [1, 1]);
    await faults([]);
  },
};

for (const [name, story] of Object.entries(stories)) {
  try {
    await story();
  } catch (problem) {
    console.error(`${name}:`, problem);
    process.exit(1);
  }
  console.log(name);
}
