// S3 through the AWS SDK for JavaScript v3, which streams in aws-chunked form with checksums behind.
// Run by cloud.py with the AWS_* variables of a fresh cloud.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import test from 'node:test';

let sdk;
try {
    sdk = await import('@aws-sdk/client-s3');
} catch {
    console.log('skipped: no @aws-sdk/client-s3 (npm ci)');
    process.exit(77);
}
const { S3Client } = sdk;
const s3 = new S3Client({ forcePathStyle: true });
const send = (name, input, client = s3) => client.send(new sdk[name + 'Command'](input));
const Bucket = 'sdk';
await send('CreateBucket', { Bucket });

async function bytes(reply) {
    return Buffer.from(await reply.Body.transformToByteArray());
}

async function refused(name, promise) {
    await assert.rejects(promise, (error) => {
        assert.equal(error.name, name);
        return true;
    });
}

test('a wrong secret is refused', () => {
    const wrong = new S3Client({ forcePathStyle: true,
        credentials: { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: 'wrong' } });
    return refused('SignatureDoesNotMatch', send('ListBuckets', {}, wrong));
});

test('a checksum that does not fit is refused', async () => {
    await refused('BadDigest', send('PutObject',
        { Bucket, Key: 'bad', Body: Buffer.from('x'), ChecksumCRC32: 'AAAAAA==' }));
    await refused('NotFound', send('HeadObject', { Bucket, Key: 'bad' }));
});

test('absent things have their names', async () => {
    await refused('NoSuchBucket', send('ListObjectsV2', { Bucket: 'absent' }));
    await refused('NoSuchKey', send('GetObject', { Bucket, Key: 'absent' }));
});

for (const size of [0, 1, 35000, 65536, 3_000_001]) {
    test(`a buffer of ${size} bytes there and back`, async () => {
        const Body = randomBytes(size);
        const put = await send('PutObject', { Bucket, Key: 'k', Body, Metadata: { a: 'b' } });
        assert.ok(put.ChecksumCRC32);
        const got = await send('GetObject', { Bucket, Key: 'k', ChecksumMode: 'ENABLED' });
        assert.equal(got.ChecksumCRC32, put.ChecksumCRC32);
        assert.deepEqual(got.Metadata, { a: 'b' });
        assert.deepEqual(await bytes(got), Body);
    });
}

for (const algorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256']) {
    test(`a stream with ${algorithm} there and back`, async () => {
        const Body = randomBytes(1_500_000);
        const pieces = [];
        for (let at = 0; at < Body.length; at += 10_007)
            pieces.push(Body.subarray(at, at + 10_007));
        const put = await send('PutObject', { Bucket, Key: 'stream', Body: Readable.from(pieces),
            ContentLength: Body.length, ChecksumAlgorithm: algorithm });
        assert.ok(put['Checksum' + algorithm]);
        const got = await send('GetObject', { Bucket, Key: 'stream' });
        assert.equal(got.ContentEncoding, undefined);
        assert.deepEqual(await bytes(got), Body);
    });
}

test('lists, copies and deletes', async () => {
    for (const Key of ['l/1', 'l/2', 'l/d/3'])
        await send('PutObject', { Bucket, Key, Body: Key });
    await send('CopyObject', { Bucket, Key: 'l/4', CopySource: `${Bucket}/l/1` });
    const list = await send('ListObjectsV2', { Bucket, Prefix: 'l/', Delimiter: '/' });
    assert.deepEqual(list.Contents.map((o) => o.Key), ['l/1', 'l/2', 'l/4']);
    assert.deepEqual(list.CommonPrefixes.map((p) => p.Prefix), ['l/d/']);
    const gone = await send('DeleteObjects',
        { Bucket, Delete: { Objects: ['l/1', 'l/2', 'l/4', 'l/d/3'].map((Key) => ({ Key })) } });
    assert.equal(gone.Deleted.length, 4);
    assert.equal((await send('ListObjectsV2', { Bucket, Prefix: 'l/' })).KeyCount, 0);
});

test('uploads in parts', async () => {
    const Key = 'parts';
    const { UploadId } = await send('CreateMultipartUpload', { Bucket, Key });
    const pieces = [randomBytes(5 * 1024 * 1024), randomBytes(77)];
    const Parts = [];
    for (const [i, Body] of pieces.entries()) {
        const part = await send('UploadPart',
            { Bucket, Key, UploadId, PartNumber: i + 1, Body });
        Parts.push({ PartNumber: i + 1, ETag: part.ETag });
    }
    await send('CompleteMultipartUpload', { Bucket, Key, UploadId, MultipartUpload: { Parts } });
    assert.deepEqual(await bytes(await send('GetObject', { Bucket, Key })), Buffer.concat(pieces));
});

test('the bucket in the host name', async () => {
    const endpoint = process.env.AWS_ENDPOINT_URL.replace('127.0.0.1', 'localhost');
    const client = new S3Client({ endpoint });
    try {
        await send('PutObject', { Bucket, Key: 'host', Body: 'h' }, client);
    } catch (error) {
        if (error.code === 'ENOTFOUND')
            return; // this machine resolves no *.localhost
        throw error;
    }
    assert.equal((await bytes(await send('GetObject', { Bucket, Key: 'host' }))).toString(), 'h');
});

test('versions, delete markers and tags', async () => {
    const at = { Bucket: 'sdk-versions', Key: 'k' };
    await send('CreateBucket', { Bucket: at.Bucket });
    await send('PutBucketVersioning',
        { Bucket: at.Bucket, VersioningConfiguration: { Status: 'Enabled' } });
    const first = await send('PutObject', { ...at, Body: 'one', Tagging: 'a=1&b=x%20y' });
    const second = await send('PutObject', { ...at, Body: 'two' });
    assert.notEqual(first.VersionId, second.VersionId);
    assert.equal((await bytes(await send('GetObject', { ...at, VersionId: first.VersionId }))).toString(), 'one');
    const tags = await send('GetObjectTagging', { ...at, VersionId: first.VersionId });
    assert.deepEqual(tags.TagSet, [{ Key: 'a', Value: '1' }, { Key: 'b', Value: 'x y' }]);
    const gone = await send('DeleteObject', at);
    assert.equal(gone.DeleteMarker, true);
    await refused('NoSuchKey', send('GetObject', at));
    const listed = await send('ListObjectVersions', { Bucket: at.Bucket });
    assert.deepEqual(listed.Versions.map((v) => v.VersionId), [second.VersionId, first.VersionId]);
    assert.deepEqual(listed.DeleteMarkers.map((m) => [m.VersionId, m.IsLatest]), [[gone.VersionId, true]]);
    await refused('InvalidArgument', send('GetObject', { ...at, VersionId: 'nonsense' }));
});

test('configurations come back as they went', async () => {
    const at = { Bucket: 'sdk-config' };
    await send('CreateBucket', at);
    await refused('NoSuchLifecycleConfiguration', send('GetBucketLifecycleConfiguration', at));
    const Rules = [{ ID: 'r', Status: 'Enabled', Filter: { Prefix: 'p/' }, Expiration: { Days: 30 } }];
    await send('PutBucketLifecycleConfiguration', { ...at, LifecycleConfiguration: { Rules } });
    assert.deepEqual((await send('GetBucketLifecycleConfiguration', at)).Rules, Rules);
    const CORSRules = [{ AllowedMethods: ['GET'], AllowedOrigins: ['*'], MaxAgeSeconds: 5 }];
    await send('PutBucketCors', { ...at, CORSConfiguration: { CORSRules } });
    assert.deepEqual((await send('GetBucketCors', at)).CORSRules, CORSRules);
    await refused('MalformedPolicy', send('PutBucketPolicy', { ...at, Policy: '{}' }));
    await refused('NotImplemented', send('PutBucketWebsite',
        { ...at, WebsiteConfiguration: { IndexDocument: { Suffix: 'i.html' } } }));
    const acl = await send('GetBucketAcl', at);
    assert.deepEqual(acl.Grants.map((g) => g.Permission), ['FULL_CONTROL']);
});

test('attributes of an object', async () => {
    await send('PutObject', { Bucket, Key: 'attributes', Body: 'four' });
    const got = await send('GetObjectAttributes',
        { Bucket, Key: 'attributes', ObjectAttributes: ['ETag', 'ObjectSize', 'StorageClass', 'Checksum'] });
    assert.deepEqual([got.ObjectSize, got.StorageClass], [4, 'STANDARD']);
    assert.ok(got.Checksum.ChecksumCRC32);
});
