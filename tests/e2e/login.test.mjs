// cli-bridge login: a CLI's own login, on the terminal of whoever calls it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { BUILD, comes, startBridge, test } from './bridge.mjs';

const AMP = resolve(import.meta.dirname, '../node_modules/@ampcode/cli-linux-x64/amp');

const exits = (program, args, options) => comes(`${program} ends`, new Promise(done => execFile(program, args, options,
  (error, stdout, stderr) => done({ code: error ? error.code ?? error.signal : 0, stdout, stderr }))));

// Amp takes a key that it finds in its environment for a login, and keeps it.
test('after a login with the real CLI its harness is ready', async t => {
  const bridge = await startBridge(t, { backends: ['amp'], env: { AMP_BIN: AMP, AMP_ENV_AMP_URL: 'http://127.0.0.1:9' }, waits: false });
  const health = async () => JSON.parse((await bridge.run('verify', '--json', 'amp')).stdout)[0].health;
  assert.equal(await health(), 'unavailable');
  bridge.env.AMP_ENV_AMP_API_KEY = 'sgamp_loopback';
  assert.equal((await bridge.run('login', 'amp')).code, 0);
  delete bridge.env.AMP_ENV_AMP_API_KEY;
  assert.ok(existsSync(join(bridge.directory, 'home/.local/share/amp/secrets.json')));
  assert.equal(await health(), 'ready');
});

// A program in the place of a CLI, which notes how it was called.
function makeCli(t) {
  const home = mkdtempSync('/tmp/login-');
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const cli = join(home, 'cli');
  writeFileSync(cli, `#!/bin/sh
{ echo "arguments $*"; tty -s && echo on a terminal; env; } >${home}/seen
exit 7
`);
  chmodSync(cli, 0o755);
  return { home, cli, seen: () => readFileSync(join(home, 'seen'), 'utf8') };
}

const command = join(BUILD, 'cli-bridge');

test('a CLI logs in on the terminal, in the environment that its worker gives it', async t => {
  const { home, cli, seen } = makeCli(t);
  const { code } = await exits(join(BUILD, 'test-terminal'), [command, 'login', 'codex'], {
    cwd: home,
    env: {
      PATH: process.env.PATH, HOME: home, CODEX_BIN: cli, CODEX_ENV_CODEX_HOME: join(home, 'of-codex'), TERM: 'xterm',
      DISPLAY: ':7', BRIDGE_BEARER: 'open-sesame', OPENAI_API_KEY: 'sk-of-the-bridge',
    },
  });
  assert.equal(code, 7, 'the exit code is that of the CLI');
  assert.match(seen(), /^arguments login\non a terminal\n/);
  for (const line of [`CODEX_HOME=${home}/of-codex`, `HOME=${home}`, 'TERM=xterm', 'DISPLAY=:7'])
    assert.ok(seen().split('\n').includes(line), line);
  assert.doesNotMatch(seen(), /open-sesame|sk-of-the-bridge|CLI_BRIDGE/);
});

test('a CLI that asks for its login itself is started, and it is said what to type', async t => {
  const { home, cli, seen } = makeCli(t);
  const { code, stderr } = await exits(command, ['login', 'droid'], { cwd: home, env: { PATH: process.env.PATH, HOME: home, FACTORY_BIN: cli } });
  assert.equal(code, 7);
  assert.match(seen(), /^arguments \n/);
  assert.match(stderr, /type \/login, then leave with \/quit/);
});

test('where there is no login it is said what to do instead', async t => {
  const { home, cli } = makeCli(t);
  const env = { PATH: home, HOME: home, CLAUDISH_BIN: cli, CODEX_BIN: cli, BRIDGE_ACP_GOOSE: `${cli} acp` };
  for (const [args, code, said] of [
    [['claudish'], 1, /claudish has no command to log in: run claudish serve/],
    [['goose'], 1, /goose has no command to log in: run goose and log in/],
    [['echo'], 1, /echo needs no login/],
    [['passthrough'], 1, /passthrough has keys, and no login/],
    [['claude'], 1, /the program claude is not installed/],
    [['codex', '2'], 2, /codex has one login, and none for slot 2/],
    [['codex', '2', 'now'], 2, /login takes the name of a harness, and perhaps a slot/],
    [[], 2, /login needs a name/],
    [['cortex'], 4, /no such harness: cortex/],
    [['gateway'], 4, /no such harness: gateway/],
  ]) {
    const ended = await exits(command, ['login', ...args], { cwd: home, env });
    assert.equal(ended.code, code, `${args}: ${ended.stderr}`);
    assert.match(ended.stderr, said);
  }
});
