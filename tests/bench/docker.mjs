// The docker executor beside the host executor: the same CLI, stand-in and turns, in turns.
//
//   host      as everywhere else in these measurements
//   docker    in containers of the image BRIDGE_TEST_IMAGE, of the engine at DOCKER_HOST; scripts/bench sees to both
//
// Codex holds many conversations in one process, so there can be more sessions of it than the machine has memory for
// processes of others.

import { setTimeout as sleep } from 'node:timers/promises';
import { clis } from '../e2e/clis.mjs';
import { waitFor } from '../e2e/bridge.mjs';
import { bridgeTurn, hangUp } from './harnesses.mjs';
import { median } from './numbers.mjs';
import { bridgeFor, cleanly, startStandIn, temporaryDirectory } from './tools.mjs';

const WARM = 20, COLD = 5, PAUSE = 150; // turns, and ms between them
const SLOTS = 8, SESSIONS = 50;

export const inContainers = (name, size) => ({
  [`${name.toUpperCase()}_EXECUTOR`]: 'docker', DOCKER_HOST: process.env.DOCKER_HOST, BRIDGE_DOCKER_NETWORK: 'host',
  BRIDGE_DOCKER_IMAGE: process.env.BRIDGE_TEST_IMAGE, BRIDGE_DOCKER_POOL_SIZE: `${size}`,
  [`${name.toUpperCase()}_DOCKER_NAME_PREFIX`]: `bench-${process.pid}-${name}`,
});

function startOne(cleanup, name, cloud, further = {}) {
  const home = temporaryDirectory(cleanup), { [`${name.toUpperCase()}_BIN`]: program, ...env } = clis[name].setUp(home, cloud, name);
  const isHost = !further[`${name.toUpperCase()}_EXECUTOR`];
  return bridgeFor(cleanup, {
    backends: [name], waits: false,
    env: { ...env, ...(isHost && { [`${name.toUpperCase()}_BIN`]: program }), HOME: home, ...further },
  });
}

const slotsOf = async bridge => (await bridge.get('/health').catch(() => null))?.json?.backends[0].slots;

async function turns(cleanup, name) {
  const cloud = await startStandIn(cleanup, name);
  const pair = {
    host: await startOne(cleanup, name, cloud),
    docker: await startOne(cleanup, name, cloud, inContainers(name, 2)),
  };
  const warm = { host: [], docker: [] }, cold = { host: [], docker: [] };
  for (const bridge of Object.values(pair)) {
    await bridge.isReady();
    for (let n = 0; n < 2; n++) {
      await bridgeTurn(bridge, name, 'warm');
      await sleep(PAUSE);
    }
  }
  for (let n = 0; n < WARM; n++)
    for (const who of n % 2 ? ['host', 'docker'] : ['docker', 'host']) {
      await sleep(PAUSE);
      warm[who].push(await bridgeTurn(pair[who], name, 'warm'));
    }
  for (let n = 0; n < COLD; n++)
    for (const who of n % 2 ? ['host', 'docker'] : ['docker', 'host']) {
      await sleep(PAUSE);
      cold[who].push(await bridgeTurn(pair[who], name, `cold-${n}`));
    }
  const difference = median(warm.docker.map((time, n) => time - warm.host[n]));
  return [
    { what: `${name}: first word of a warm turn in a container`, unit: 'ms', ours: median(warm.docker), theirs: median(warm.host), than: 'on the host',
      ratio: difference, ratioUnit: ' ms more', goal: '<= 5 ms more' },
    { what: `${name}: first word of a new session in a container`, unit: 'ms', ours: median(cold.docker), theirs: median(cold.host), than: 'on the host',
      ratio: median(cold.docker) / median(cold.host) },
  ];
}

// Two turns of each session, all at once: the second is warm.
async function allSessions(bridge) {
  await bridge.isReady();
  const began = performance.now();
  await Promise.all(Array.from({ length: SESSIONS }, async (_, n) => {
    await bridgeTurn(bridge, 'codex', `one-of-many-${n}`);
    await bridgeTurn(bridge, 'codex', `one-of-many-${n}`);
  }));
  return performance.now() - began;
}

async function pool(cleanup) {
  const cloud = await startStandIn(cleanup, 'codex');
  const began = performance.now();
  const bridge = await startOne(cleanup, 'codex', cloud, inContainers('codex', SLOTS));
  await waitFor('every container is up', async () => (await slotsOf(bridge))?.dead === 0);
  const ready = performance.now() - began;
  const inSlots = await allSessions(bridge);
  const host = await startOne(cleanup, 'codex', cloud, { CODEX_MAX_RUNNING: `${SLOTS}` });
  const onHost = await allSessions(host);
  return [
    { what: `a pool of ${SLOTS} containers is ready, from the start of the bridge`, unit: 's', ours: ready / 1000, goal: '<= 3 s' },
    { what: `codex: two turns of ${SESSIONS} sessions over ${SLOTS} containers`, unit: 's', ours: inSlots / 1000, theirs: onHost / 1000,
      than: `on the host, ${SLOTS} at once`, ratio: inSlots / onHost },
  ];
}

export async function docker() {
  const rows = [];
  for (const name of ['claude', 'codex'])
    rows.push(...await cleanly(cleanup => turns(cleanup, name)));
  rows.push(...await cleanly(pool));
  hangUp();
  return rows;
}
