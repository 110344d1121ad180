// Presigns parts as one writes it with the AWS SDK.
import { S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

let client;

export default {
  async fetch(request, env) {
    client ??= new S3Client({
      region: 'auto', endpoint: env.S3_ENDPOINT, forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED',
      credentials: { accessKeyId: env.S3_ACCESS_KEY_ID, secretAccessKey: env.S3_SECRET_ACCESS_KEY },
    });
    const { key, uploadId, partNumbers, sizes } = await request.json();
    const urls = [];
    for (const [i, PartNumber] of partNumbers.entries()) {
      const command = new UploadPartCommand({ Bucket: env.S3_BUCKET, Key: key, UploadId: uploadId, PartNumber, ContentLength: sizes[i] });
      urls.push(await getSignedUrl(client, command, { expiresIn: 900, signableHeaders: new Set(['host', 'content-length']) }));
    }
    return Response.json({ urls });
  },
};
