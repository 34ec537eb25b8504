// What the checks of the suite share: a harness under test, and words for what is said and heard.
//
//   const harness = harnessOf({ name: 'codex', cli: clis.codex, ... });      see suite.mjs
//   const { cloud, bridge, cwd } = await harness.start(t);
//   await bridge.answers(harness.name, 'hello', { cwd });
//   await harness.killsIts(bridge);
//   countIn(cloud.requests.at(-1), 'hello');
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { BUILD, IN_CONTAINERS, isGone, isThere, startBridge, test, waitFor } from '../bridge.mjs';

const CHECKS_MS = 1_400_000; // for all that share a bridge

// In containers, all of it all the same.
export const WHOLE = process.env.BRIDGE_TEST_WHOLE === '1';

// A test of what an executor has no part in.
export const onHost = (...words) => (IN_CONTAINERS && !WHOLE) || test(...words);

export const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

export const USER_WORD = 'the-user-canary', PROJECT_WORD = 'the-project-canary';

// A CLI may start programs for a moment.  A process that stays is another one of the CLI's.
export const isSameProcess = (pids, before) => isGone(() => pids().filter(pid => !before.includes(pid)), { within: 5000 });

export function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

// A file, or a process, may go while it is looked at.
function textOf(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

// Processes by their command line: a tool's may have been given any environment.
export const running = words => readdirSync('/proc').filter(name => /^\d+$/.test(name))
  .filter(pid => textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').includes(words));

export const filesWith = (directory, words) => readdirSync(directory, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  .filter(path => textOf(path).includes(words));

// All that the vendor was told, and how often it was told something.
export const whole = request => JSON.stringify(request.body);
export const countIn = (request, words) => whole(request).split(words).length - 1;

export const withSystem = (rule, messages) => [{ role: 'system', content: rule }, ...messages];

// A typed refusal of what the harness can't do.
const REFUSALS = ['unsupported_parameter', 'invalid_cwd', 'invalid_value', 'conflict'];

export function isRefused({ status, json, text }, words) {
  assert.ok(status >= 400 && status < 500 && REFUSALS.includes(json.error?.code), text);
  assert.match(json.error.message, words);
}

// What the program says that its harnesses can do.
const declared = JSON.parse(execFileSync(join(BUILD, 'cli-bridge'), ['capabilities', '--json'], { cwd: '/' }));

const OWN_AGENT = 'an ACP agent of your own'; // a harness of the operator's

export const declaredOf = name => declared.find(row => row.harness === name) ?? declared.find(row => row.harness === OWN_AGENT);
export const capabilitiesOf = name => Object.entries(declaredOf(name).capabilities)
  .filter(([, how]) => how === 'native').map(([capability]) => capability);

// A line of what was seen, for cells.mjs, of tests that run at the same time.
export function note(line) {
  if (process.env.BRIDGE_TEST_CELLS)
    appendFileSync(process.env.BRIDGE_TEST_CELLS, `${line}\n`);
}

export function harnessOf({ name, cli, env: further = {}, ...rest }) {
  const { capabilities } = declaredOf(name);
  const can = capability => {
    assert.ok(capability in capabilities, `${capability} is a capability`);
    return capabilities[capability] === 'native';
  };
  // What was seen of it: it is as it is said to be.  cells.mjs misses whatever nobody has shown.
  const shows = (capability, works) => {
    assert.equal(works, can(capability), `${capability} is as it is said to be`);
    note(`${name} ${capability} ${works ? 'native' : 'lacked'}`);
  };
  const pids = bridge => bridge.clisOf(name).map(({ pid }) => pid);

  // A bridge with the CLI, the stand-in it talks to, and a project with instructions and a secret.
  async function start(t, env = {}) {
    const cloud = await cli.start();
    t.after(() => cloud.close());
    const bridge = await startBridge(t, {
      backends: [name],
      env(home) {
        write(join(home, cli.reads.user), `The word of the user is ${USER_WORD}.`);
        return { ...cli.setUp(home, cloud, name), ...further, ...env };
      },
    });
    return { cloud, bridge, cwd: projectIn(join(bridge.directory, 'project')) };
  }

  function projectIn(cwd) {
    write(join(cwd, cli.reads.project), `The word of the project is ${PROJECT_WORD}.`);
    write(join(cwd, 'secret.txt'), 'the-secret-canary');
    return cwd;
  }

  // Starting a CLI takes seconds: what asks nothing of its bridge that others do not ask shares one.  Each check has a
  // project of its own, and its own names of sessions.
  const checks = [];
  const check = (title, run) => checks.push([title, run]);
  const runsChecks = () => test(`${name}, on one bridge`, { timeout: CHECKS_MS }, async t => {
    const { cloud, bridge } = await start(t);
    for (const [n, [title, run]] of checks.entries())
      await t.test(title, t => run(t, { cloud: cloud.reset(), bridge, cwd: projectIn(join(bridge.directory, `checks/${n}/project`)) }));
  });

  async function killsIts(bridge, { ifThere = false } = {}) {
    const victims = pids(bridge);
    assert.ok(ifThere || victims.length > 0, 'there is a CLI to be killed');
    for (const pid of victims)
      try {
        process.kill(pid, 'SIGKILL');
      } catch (problem) {
        assert.equal(problem.code, 'ESRCH'); // a helper of the CLI's that has just ended
      }
    await isGone(() => victims.filter(isThere), { within: 5000 });
    if (IN_CONTAINERS) // its engine has to tell the bridge first
      await waitFor('the bridge knows', async () => (await bridge.row(name)).warm === 0);
  }

  // The process that is kept warm is gone, if there is one.
  const goesCold = async (bridge, options) => can('warmth') ? killsIts(bridge, options) : undefined;

  return { name, NAME: name.toUpperCase(), cli, can, shows, env: further, check, runsChecks, start, pids, killsIts, goesCold, ...rest };
}
