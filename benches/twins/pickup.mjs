// Twin of the purchase worker's Pickup: keeps a transfer for the frame that polls.
import { json } from './common.mjs';

const LIFE_MS = 3_600_000;

export class Pickup {
  constructor(ctx) {
    this.ctx = ctx;
  }

  async fetch(request) {
    const body = await request.text();
    const { sql } = this.ctx.storage;
    sql.exec('CREATE TABLE IF NOT EXISTS pickup (body TEXT NOT NULL)');
    if (!sql.exec('SELECT 1 FROM pickup').toArray().length) {
      sql.exec('INSERT INTO pickup VALUES (?)', body);
      this.ctx.storage.setAlarm(Date.now() + LIFE_MS);
    }
    return json({ done: true });
  }

  async alarm() {
    await this.ctx.storage.deleteAll();
  }
}
