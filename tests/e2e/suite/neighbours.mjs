// One process holds many conversations: what a client of one does costs the others nothing.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { isThere, waitFor } from '../bridge.mjs';
import { countIn } from './harness.mjs';

const SLOW_MS = 1000; // until a process hears of a cancelled turn: four times BRIDGE_CANCEL_MS

// Its own processes, not those of the commands that it runs.
function processesOf({ pids }, bridge) {
  const parentOf = pid => Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1).split(' ')[1]);
  const all = pids(bridge);
  return all.filter(pid => isThere(pid) && !all.includes(parentOf(pid))).sort();
}

export async function neighbourChecks(t, harness, { cloud, bridge, cwd }) {
  const { name } = harness;
  const ask = (text, session_id) => bridge.answers(name, text, { session_id, cwd });
  cloud.reset();
  await ask('the-idle-word', 'idle');
  await ask('one', 'leaving');
  const before = processesOf(harness, bridge);
  assert.ok(before.length > 0);

  for (const [what, behaviour] of Object.entries({
    'while it is silent': { hang: true },
    'while it streams': { chunks: Array(500).fill('word '), delayMs: 20 },
  }))
    await t.test(`a client that leaves a slow process does not cost it its life, ${what}`, async () => {
      cloud.next(behaviour);
      const client = bridge.streams(name, `go ${what}`, { session_id: 'leaving', cwd });
      await waitFor('the vendor is asked', () => cloud.openStreams === 1);
      before.forEach(pid => process.kill(pid, 'SIGSTOP'));
      client.leaves();
      await sleep(SLOW_MS);
      assert.deepEqual(before.filter(isThere), before, 'the process is kept');
      before.forEach(pid => process.kill(pid, 'SIGCONT'));
      await ask(`after ${what}`, 'leaving');
      assert.deepEqual(processesOf(harness, bridge), before);
    });

  await t.test('and an idle conversation in it is as it was', async () => {
    cloud.reset();
    await ask('again', 'idle');
    assert.ok(countIn(cloud.requests.at(-1), 'the-idle-word') > 0);
  });
}
