// Presigns parts as one writes it with aws4fetch: the client is made once, and keeps the key of the day.
import { AwsClient } from 'aws4fetch';

let client;

export default {
  async fetch(request, env) {
    client ??= new AwsClient({ accessKeyId: env.S3_ACCESS_KEY_ID, secretAccessKey: env.S3_SECRET_ACCESS_KEY, service: 's3', region: 'auto' });
    const { key, uploadId, partNumbers, sizes, datetime } = await request.json();
    const urls = [];
    for (const [i, partNumber] of partNumbers.entries()) {
      const url = `${env.S3_ENDPOINT}/${env.S3_BUCKET}/${key}?X-Amz-Expires=900&partNumber=${partNumber}&uploadId=${encodeURIComponent(uploadId)}`;
      const headers = { 'content-length': String(sizes[i]) };
      const signed = await client.sign(url, { method: 'PUT', headers, aws: { signQuery: true, allHeaders: true, ...(datetime && { datetime }) } });
      urls.push(signed.url);
    }
    return Response.json({ urls });
  },
};
