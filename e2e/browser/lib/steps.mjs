// Tests that build on each other: after one that failed the rest could only wait in vain.
import { test } from 'node:test';

let failed = '';

/** A test that is given up at once where an earlier one of its file has failed. */
export const step = (name, body) =>
  test(name, async (t) => {
    if (failed) throw new Error(`not tried, because this failed: ${failed}`);
    try {
      await body(t);
    } catch (error) {
      failed ||= name;
      throw error;
    }
  });
