// Every deadline of a turn begins with the stage that it is named after, and is no other stage's.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { says, startBridge } from './bridge.mjs';
import { fake } from './clis.mjs';

// Longer than the stand-in takes to start on a machine that is very busy, but for what it is told.
const STAGE_MS = 8000;

const slow = (t, told, settings = {}) => startBridge(t, {
  backends: ['opencode'],
  env: home => ({
    OPENCODE_BIN: fake(home, 'opencode'), OPENCODE_TIMEOUT_MS: '0', OPENCODE_START_MS: String(STAGE_MS), ...settings,
    ...Object.fromEntries(Object.entries(told).map(([name, value]) => [`OPENCODE_ENV_FAKE_${name}`, String(value)])),
  }),
});

const history = length => says(...Array.from({ length }, (_, n) => `message ${n}`), 'and now?');

test('a history that takes longer than a start is imported, and shows how far it is', async t => {
  const bridge = await slow(t, { MESSAGE_MS: 1.25 * STAGE_MS / 800 });
  const client = await bridge.streams('opencode', history(800)).finishes();
  assert.equal(client.text, 'word0 ');
  const notes = client.comments.filter(comment => comment.startsWith('importing the conversation'));
  assert.equal(notes.at(-1), 'importing the conversation: 800 of 800');
  assert.ok(notes.length >= 20, `${notes.length} notes`);
});

test('one piece of a history that takes longer than a start is given up', async t => {
  const bridge = await slow(t, { MESSAGE_MS: STAGE_MS });
  const error = await bridge.streams('opencode', history(2)).fails('timeout');
  assert.match(error.message, /was not ready/);
});
