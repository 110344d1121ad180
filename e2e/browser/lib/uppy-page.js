// What a page does that uploads with stock Uppy: its core, its S3 plugin, and our endpoint as `signRequest`. `sign` comes
// from the test, which holds the creator's key.
import Uppy from '@uppy/core';
import AwsS3 from '@uppy/aws-s3';

/** Uploads bytes, or goes on with `resume` {uploadId, key}; gives what Uppy says. */
globalThis.uploadWithUppy = async ({ bytes, key, partSize, resume, name }) => {
  const uppy = new Uppy({ autoProceed: false });
  uppy.use(AwsS3, { shouldUseMultipart: true, getChunkSize: () => partSize, generateObjectKey: () => key, signRequest: (request) => globalThis.sign(request) });
  const data = new File([Uint8Array.fromBase64(bytes)], name, { type: 'text/plain' });
  const id = uppy.addFile({ name, type: data.type, data });
  if (resume) uppy.setFileState(id, { s3Multipart: resume });
  globalThis.cancelUppy = () => uppy.cancelAll();
  const begun = [];
  uppy.on('s3-multipart:part-uploaded', (file, part) => begun.push(part.PartNumber));
  const result = await uppy.upload();
  const file = uppy.getFile(id);
  return { parts: begun, failed: result.failed.map((one) => String(one.error)), response: result.successful[0]?.response, s3Multipart: file?.s3Multipart, progress: file?.progress.percentage };
};
