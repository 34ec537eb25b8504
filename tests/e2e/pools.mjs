// Bridges whose CLIs run in containers.
//
//   const pool = await startPool(t, { engine, size: 2 });            of the fake agent: tests/fakes/acp.mjs
//   await pool.says('a session', 'run id');                          what its shell has said
//   await pool.slotsAre({ free: 2 });
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { startBridge, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';

const NO_SLOTS = { free: 0, busy: 0, warm: 0, dead: 0 };

const inSession = session => ({ 'x-session-id': session });

export class Pool {
  constructor({ bridge, engine, name, size, cloud }) {
    Object.assign(this, { bridge, engine, name, size, cloud, NAME: name.toUpperCase(), prefix: basename(bridge.directory) });
  }

  get cwd() {
    const path = join(this.bridge.directory, 'project');
    mkdirSync(path, { recursive: true });
    return path;
  }

  containers() { return this.engine.containersOf(this.prefix); }
  slot(n) { return `${this.prefix}-${n}`; }

  async row() {
    const { json } = await this.bridge.get('/health');
    return json.backends.find(row => row.name === this.name);
  }

  async slots() { return { ...NO_SLOTS, ...(await this.row()).slots }; }

  async slotsAre(wanted) {
    let seen;
    await waitFor(`slots are ${JSON.stringify(wanted)}`, async () => {
      seen = await this.slots();
      return Object.entries(wanted).every(([what, count]) => seen[what] === count);
    }).catch(problem => assert.fail(`${problem.message}, but ${JSON.stringify(seen)}`));
    return seen;
  }

  // Every slot can take a turn.
  isWhole() { return this.slotsAre({ dead: 0, busy: 0 }); }

  streams(session, said, fields = {}) {
    return this.bridge.streams(this.name, said, { cwd: this.cwd, ...fields }, { headers: session ? inSession(session) : {} });
  }

  chat(session, said, fields = {}) {
    return this.bridge.chat(this.name, said, { cwd: this.cwd, ...fields }, session ? inSession(session) : {});
  }

  // What is answered to it, in brackets if it comes from a shell.
  async says(session, said, fields) {
    const answer = await this.chat(session, said, fields);
    assert.equal(answer.status, 200, answer.text);
    return answer.content;
  }

  async refuses(session, status, code, said = 'hello', fields = {}) {
    const answer = await this.chat(session, said, fields);
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.json.error.code, code, answer.text);
    return answer.json.error.message;
  }
}

const ofFakeAgent = { name: 'mine', env: () => ({ BRIDGE_ACP_MINE: 'acp' }) };

// `image` has the program; with `cli`, one of clis.mjs, it is the real one.
export async function startPool(t, { engine, image, size = 2, cli, name = cli ?? ofFakeAgent.name, env = {}, network, ...options }) {
  const NAME = name.toUpperCase();
  const cloud = cli && await clis[cli].start();
  if (cloud)
    t.after(() => cloud.close());
  const bridge = await startBridge(t, {
    backends: [name],
    ...options,
    env(home) {
      const directory = dirname(home);
      const { [`${NAME}_BIN`]: _, ...ofCli } = cli ? clis[cli].setUp(home, cloud, name) : ofFakeAgent.env();
      return {
        ...ofCli, DOCKER_HOST: engine.host, [`${NAME}_EXECUTOR`]: 'docker', [`${NAME}_DOCKER_IMAGE`]: image,
        [`${NAME}_DOCKER_POOL_SIZE`]: String(size), [`${NAME}_DOCKER_NETWORK`]: network ?? (cli ? 'host' : 'none'),
        [`${NAME}_DOCKER_WORKSPACE_ROOT`]: directory, [`${NAME}_DOCKER_NAME_PREFIX`]: basename(directory),
        ...typeof env === 'function' ? env(directory, cloud) : env,
      };
    },
  });
  return new Pool({ bridge, engine, name, size, cloud });
}
