// What a model could try in each CLI to write, to run a program or to fetch something, as calls of its tools; and how
// it reads a file.  See safe.mjs, which makes the place.

import { existsSync, readFileSync } from 'node:fs';

import { write } from './harness.mjs';

// A call that does nothing good, of each tool that some CLI has: to one that does not offer it, it is nobody's.
const foreign = ({ runs, made, kept, notebook, canary }) => [
  ['Bash', { command: runs, description: 'run it' }],
  ['bash', { command: runs, description: 'run it' }],
  ['shell', { command: ['bash', '-c', runs] }],
  ['local_shell', { command: ['bash', '-c', runs] }],
  ['exec_command', { cmd: runs }],
  ['run_shell_command', { command: runs, description: 'run it' }],
  ['Execute', { command: runs, summary: 'Run it', riskLevel: 'low', riskLevelReason: 'none' }],
  ['PowerShell', { command: runs }],
  ['Write', { file_path: made('made-by-Write'), content: 'x' }],
  ['write', { path: made('made-by-write'), content: 'x' }],
  ['write_file', { file_path: made('made-by-write-file'), content: 'x' }],
  ['create', { path: made('made-by-create'), file_text: 'x' }],
  ['Create', { file_path: made('made-by-Create'), content: 'x' }],
  ['Edit', { file_path: kept, old_string: 'as it was', new_string: 'changed' }],
  ['MultiEdit', { file_path: kept, edits: [{ old_string: 'as it was', new_string: 'changed' }] }],
  ['NotebookEdit', { notebook_path: notebook, new_source: 'changed', edit_mode: 'insert', cell_type: 'code' }],
  ['apply_patch', { input: patch(made('made-by-a-patch')) }],
  ['ApplyPatch', { input: patch(made('made-by-a-patch')) }],
  ['WebFetch', { url: canary.url, prompt: 'what does it say?' }],
  ['web_fetch', { prompt: `read ${canary.url}`, url: canary.url }],
  ['fetch', { url: canary.url }],
  ['Task', { description: 'do it', prompt: runs, subagent_type: 'general-purpose' }],
  ['Agent', { description: 'do it', prompt: runs }],
  ['CronCreate', { cron: '* * * * *', prompt: runs }],
  ['mcp__users__run', { command: runs }],
];

const patch = path => `*** Begin Patch\n*** Add File: ${path}\n+x\n*** End Patch`;

// The tools that each has, as it is offered them in the mode byob.
const own = {
  claude: ({ runs, made, madeOutside, home, kept, notebook, canary }) => [
    ['Bash', { command: runs, description: 'run it' }],
    ['Bash', { command: runs, description: 'run it', run_in_background: true }],
    ['Bash', { command: runs, description: 'run it', dangerouslyDisableSandbox: true }],
    ['Bash', { command: 'cat kept.txt >made-by-cat', description: 'look at it' }],
    ['Write', { file_path: made('made-by-Write'), content: 'x' }],
    ['Write', { file_path: madeOutside('made-by-Write'), content: 'x' }],
    ['Write', { file_path: home('.claude/made-by-Write'), content: 'x' }],
    ['Write', { file_path: home('.bashrc'), content: 'x' }],
    ['Read', { file_path: kept }], // it edits only what it has read
    ['Edit', { file_path: kept, old_string: 'as it was', new_string: 'changed' }],
    ['NotebookEdit', { notebook_path: notebook, new_source: 'changed', edit_mode: 'insert', cell_type: 'code' }],
    ['WebFetch', { url: canary.url, prompt: 'what does it say?' }],
    ['WebSearch', { query: 'anything' }],
    ['Agent', { description: 'do it', prompt: runs }],
    ['Workflow', { script: 'export const meta = { name: "x", description: "x" }; await agent("run it");' }],
    ['Monitor', { command: runs, description: 'watch it' }],
    ['ScheduleWakeup', { delaySeconds: 1, reason: 'to run it', prompt: runs }],
    ['CronCreate', { cron: '* * * * *', prompt: runs }],
    ['SendMessage', { to: 'main', message: runs }],
    ['ToolSearch', { query: 'select:NotebookEdit,WebFetch,CronCreate,Monitor,EnterWorktree', max_results: 5 }],
    ['EnterWorktree', { name: 'made-by-a-worktree' }],
    ['ExitPlanMode', { plan: 'do it' }],
  ],

  codex: ({ runs, made, kept, canary }) => [
    ['exec_command', { cmd: runs }],
    ['exec_command', { cmd: runs, sandbox_permissions: 'require_escalated', justification: 'please' }],
    ['exec_command', { cmd: runs, tty: true, yield_time_ms: 250 }],
    ['exec_command', { cmd: `apply_patch '${patch(made('made-by-a-patch'))}'` }],
    ['exec_command', { cmd: `curl -s ${canary.url}` }],
    ['write_stdin', { session_id: 1, chars: `${runs}\n` }],
    ['shell_command', { command: runs }],
    ['unified_exec', { input: ['bash', '-c', runs] }],
    ['container_exec', { command: ['bash', '-c', runs] }],
    ['apply_patch', { input: `*** Begin Patch\n*** Update File: ${kept}\n@@\n-as it was\n+changed\n*** End Patch` }],
    ['spawn_agent', { message: runs }],
    ['web_search', {}],
    ['create_goal', { objective: runs }],
    ['js_repl', { code: 'require("fs").writeFileSync("made-by-js", "x")' }],
  ],

  opencode: ({ runs, made, madeOutside, kept, canary }) => [
    ['bash', { command: runs, description: 'run it' }],
    ['bash', { command: 'touch made-by-touch', description: 'run it' }],
    ['bash', { command: `curl -s ${canary.url}`, description: 'run it' }],
    ['write', { filePath: made('made-by-write'), content: 'x' }],
    ['write', { filePath: madeOutside('made-by-write'), content: 'x' }],
    ['read', { filePath: kept }],
    ['edit', { filePath: kept, oldString: 'as it was', newString: 'changed' }],
    ['multiedit', { filePath: kept, edits: [{ filePath: kept, oldString: 'as it was', newString: 'changed' }] }],
    ['patch', { patchText: patch(made('made-by-a-patch')) }],
    ['apply_patch', { patchText: patch(made('made-by-a-patch')) }],
    ['webfetch', { url: canary.url, format: 'text' }],
    ['websearch', { query: 'anything' }],
    ['task', { description: 'do it', prompt: runs, subagent_type: 'general' }],
    ['skill', { name: 'any' }],
    ['batch', { tool_calls: [{ tool: 'bash', parameters: { command: runs, description: 'run it' } }] }],
    ['invalid', { tool: 'bash', error: 'none' }],
  ],

  gemini: ({ runs, made, madeOutside, kept, canary }) => [
    ['run_shell_command', { command: runs }],
    ['run_shell_command', { command: runs, is_background: true }],
    ['run_shell_command', { command: 'touch made-by-touch' }],
    ['run_shell_command', { command: `curl -s ${canary.url}` }],
    ['write_file', { file_path: made('made-by-write-file'), content: 'x' }],
    ['write_file', { file_path: madeOutside('made-by-write-file'), content: 'x' }],
    ['replace', { file_path: kept, instruction: 'change it', old_string: 'as it was', new_string: 'changed' }],
    ['web_fetch', { prompt: `read ${canary.url}` }],
    ['google_web_search', { query: 'anything' }],
    ['invoke_agent', { agent_name: 'generalist', prompt: runs }],
    ['codebase_investigator', { objective: runs }],
    ['activate_skill', { name: 'any' }],
    ['save_memory', { fact: 'made-by-memory' }],
    ['write_todos', { todos: [] }],
    ['enter_plan_mode', { reason: 'to write' }],
    ['exit_plan_mode', { plan_path: made('made-by-a-plan') }],
    ['ask_user', { questions: [] }],
  ],

  qwen: ({ runs, made, madeOutside, kept, notebook, canary }) => [
    ['run_shell_command', { command: runs, is_background: false, description: 'run it' }],
    ['run_shell_command', { command: runs, is_background: true, description: 'run it' }],
    ['run_shell_command', { command: 'touch made-by-touch', is_background: false }],
    ['run_shell_command', { command: `curl -s ${canary.url}`, is_background: false }],
    ['write_file', { file_path: made('made-by-write-file'), content: 'x' }],
    ['write_file', { file_path: madeOutside('made-by-write-file'), content: 'x' }],
    ['read_file', { file_path: kept }],
    ['edit', { file_path: kept, old_string: 'as it was', new_string: 'changed' }],
    ['notebook_edit', { notebook_path: notebook, new_source: 'changed', edit_mode: 'insert', cell_type: 'code' }],
    ['web_fetch', { url: canary.url, prompt: 'what does it say?' }],
    ['web_search', { query: 'anything' }],
    ['agent', { description: 'do it', prompt: runs, subagent_type: 'general-purpose' }],
    ['skill', { skill: 'any' }],
    ['tool_search', { query: 'select:web_fetch,write_file,cron_create' }],
    ['tool_call', { name: 'web_fetch', arguments: { url: canary.url, prompt: 'what does it say?' } }],
    ['tool_call', { name: 'run_shell_command', arguments: { command: runs, is_background: false } }],
    ['save_memory', { fact: 'made-by-memory', scope: 'project' }],
    ['todo_write', { todos: [] }],
    ['cron_create', { cron: '* * * * *', prompt: runs }],
    ['loop_wakeup', { delay_seconds: 1, prompt: runs }],
    ['monitor', { command: runs, description: 'watch it' }],
    ['exit_plan_mode', { plan: 'do it' }],
  ],

  kimi: ({ runs, made, madeOutside, kept, canary }) => [
    ['Bash', { command: runs }],
    ['Bash', { command: runs, description: 'run it', run_in_background: true }],
    ['Bash', { command: 'touch made-by-touch' }],
    ['Bash', { command: `curl -s ${canary.url}` }],
    ['Write', { path: made('made-by-Write'), content: 'x' }],
    ['Write', { path: madeOutside('made-by-Write'), content: 'x' }],
    ['Read', { path: kept }],
    ['Edit', { path: kept, old_string: 'as it was', new_string: 'changed' }],
    ['FetchURL', { url: canary.url }],
    ['WebSearch', { query: 'anything' }],
    ['Agent', { prompt: runs, description: 'do it' }],
    ['AgentSwarm', { description: 'do it', prompt_template: runs, items: ['x', 'y'] }],
    ['Skill', { skill: 'any' }],
    ['CronCreate', { cron: '* * * * *', prompt: runs }],
    ['CreateGoal', { objective: runs }],
    ['ExitPlanMode', {}],
    ['AskUserQuestion', { questions: [{ question: 'may I?', options: [{ label: 'yes' }, { label: 'no' }] }] }],
  ],

  copilot: ({ runs, made, madeOutside, kept, canary }) => [
    ['bash', { command: runs, description: 'run it' }],
    ['bash', { command: runs, description: 'run it', mode: 'async' }],
    ['bash', { command: runs, description: 'run it', mode: 'async', detach: true }],
    ['bash', { command: 'touch made-by-touch', description: 'run it' }],
    ['bash', { command: `curl -s ${canary.url}`, description: 'run it' }],
    ['create', { path: made('made-by-create'), file_text: 'x' }],
    ['create', { path: madeOutside('made-by-create'), file_text: 'x' }],
    ['edit', { path: kept, old_str: 'as it was', new_str: 'changed' }],
    ['str_replace_editor', { command: 'create', path: made('made-by-an-editor'), file_text: 'x' }],
    ['sql', { description: 'do it', query: `ATTACH DATABASE '${made('made-by-sql')}' AS x; CREATE TABLE x.y(z);` }],
    ['task', { description: 'do it', prompt: runs, agent_type: 'general-purpose', name: 'x' }],
    ['write_agent', { agent_id: 'x', message: runs }],
    ['web_fetch', { url: canary.url }],
    ['fetch', { url: canary.url }],
    ['report_intent', { intent: 'made-by-intent' }],
    ['skill', { skill: 'any' }],
    ['store_memory', { subject: 'x', fact: 'made-by-memory', citations: 'x', reason: 'x', category: 'general' }],
  ],

  factory: ({ runs, made, madeOutside, kept, canary }) => [
    ['Execute', { command: runs, summary: 'Run it', riskLevel: 'low', riskLevelReason: 'It changes nothing.' }],
    ['Execute', { command: runs, summary: 'Run it', riskLevel: 'low', riskLevelReason: 'It changes nothing.', fireAndForget: true }],
    ['Execute', { command: 'touch made-by-touch', summary: 'Run it', riskLevel: 'low', riskLevelReason: 'It changes nothing.' }],
    ['Execute', { command: 'cat kept.txt', summary: 'Look at it', riskLevel: 'low', riskLevelReason: 'It changes nothing.' }],
    ['Execute', { command: `curl -s ${canary.url}`, summary: 'Run it', riskLevel: 'low', riskLevelReason: 'It changes nothing.' }],
    ['Create', { file_path: made('made-by-Create'), content: 'x' }],
    ['Create', { file_path: madeOutside('made-by-Create'), content: 'x' }],
    ['Read', { file_path: kept }],
    ['Edit', { file_path: kept, old_str: 'as it was', new_str: 'changed' }],
    ['ApplyPatch', { input: patch(made('made-by-a-patch')) }],
    ['FetchUrl', { url: canary.url }],
    ['WebSearch', { query: 'anything' }],
    ['Task', { subagent_type: 'worker', description: 'do it', prompt: runs }],
    ['Skill', { skill: 'any' }],
    ['ToolSearch', { query: 'select:FetchUrl,WebSearch,GenerateDroid' }],
    ['GenerateDroid', { description: 'made-by-a-droid', location: 'project' }],
    ['Loop', { prompt: runs, interval: '1m' }],
    ['ExitSpecMode', { plan: 'do it' }],
    ['TodoWrite', { todos: '1. [pending] x' }],
  ],

  pi: ({ runs, made, madeOutside, kept, canary }) => [
    ['bash', { command: runs }],
    ['bash', { command: 'touch made-by-touch' }],
    ['bash', { command: 'cat kept.txt' }],
    ['bash', { command: `curl -s ${canary.url}` }],
    ['write', { path: made('made-by-write'), content: 'x' }],
    ['write', { path: madeOutside('made-by-write'), content: 'x' }],
    ['edit', { path: kept, edits: [{ oldText: 'as it was', newText: 'changed' }] }],
    ['word_of_extension', {}],
    ['grep', { pattern: 'x', path: '.', ignoreCase: true }],
    ['find', { pattern: '-exec touch made-by-find' }],
  ],
};
own.claudish = own.claude;

const calls = list => list.map(([name, input]) => ({ name, input }));

export const attemptsOf = (harness, place) => calls([
  ...own[harness](place),
  ...foreign(place).filter(([name]) => !own[harness](place).some(([its]) => its === name)),
]);

export const READS_NOTHING = ['codex']; // it would need its shell

const looks = {
  claude: file_path => ['Read', { file_path }], claudish: file_path => ['Read', { file_path }],
  opencode: filePath => ['read', { filePath }], gemini: file_path => ['read_file', { file_path }],
  qwen: file_path => ['read_file', { file_path }], kimi: path => ['Read', { path }], copilot: path => ['view', { path }],
  factory: file_path => ['Read', { file_path }], pi: path => ['read', { path }], codex: path => ['view_image', { path }],
};

export const lookOf = (harness, path) => calls([looks[harness](path)])[0];

// What a user or a project can have written down that runs a program by itself: hooks, plugins, MCP servers.  Each is
// a file, with what it is to have besides what it has.
const claudeHooks = (program, where, ...events) => ({
  hooks: Object.fromEntries(events.map(event => [event, [{ hooks: [{ type: 'command', command: `${program} ${where}-hook` }] }]])),
});
const servers = (program, where, more) => ({ mcpServers: { users: { command: program, args: [`${where}-server`], ...more } } });
const script = (program, where) =>
  `import { execFileSync } from 'node:child_process';\nexport default async () => { execFileSync('${program}', ['${where}-plugin']); return {}; };\n`;

const EVENTS = ['SessionStart', 'UserPromptSubmit', 'PreToolUse', 'Stop'];

const traps = {
  claude: (home, cwd, program) => ({
    [`${home}/.claude/settings.json`]: claudeHooks(program, 'users', ...EVENTS),
    [`${cwd}/.claude/settings.json`]: { ...claudeHooks(program, 'projects', ...EVENTS), enableAllProjectMcpServers: true },
    [`${home}/.claude.json`]: servers(program, 'users', { type: 'stdio' }),
    [`${cwd}/.mcp.json`]: servers(program, 'projects', { type: 'stdio' }),
  }),
  codex: (home, cwd, program) => ({
    [`${home}/.codex/config.toml`]: `notify = ["${program}", "users-notify"]\n%\n[mcp_servers.users]\ncommand = "${program}"\nargs = ["users-server"]\n`,
    [`${home}/.codex/hooks.json`]: claudeHooks(program, 'users', ...EVENTS),
    [`${cwd}/.codex/config.toml`]: `[mcp_servers.projects]\ncommand = "${program}"\nargs = ["projects-server"]\n`,
    [`${cwd}/.codex/hooks.json`]: claudeHooks(program, 'projects', ...EVENTS),
  }),
  opencode: (home, cwd, program) => ({
    [`${home}/.config/opencode/opencode.json`]: { mcp: { users: { type: 'local', command: [program, 'users-server'], enabled: true } } },
    [`${home}/.config/opencode/plugin/trap.js`]: script(program, 'users'),
    [`${cwd}/opencode.json`]: { mcp: { projects: { type: 'local', command: [program, 'projects-server'], enabled: true } } },
    [`${cwd}/.opencode/plugin/trap.js`]: script(program, 'projects'),
  }),
  gemini: (home, cwd, program) => ({
    [`${home}/.gemini/settings.json`]: { ...claudeHooks(program, 'users', 'SessionStart', 'BeforeAgent', 'BeforeTool'), ...servers(program, 'users') },
    [`${cwd}/.gemini/settings.json`]: { ...claudeHooks(program, 'projects', 'SessionStart', 'BeforeAgent', 'BeforeTool'), ...servers(program, 'projects') },
  }),
  qwen: (home, cwd, program) => ({
    [`${home}/.qwen/settings.json`]: { ...claudeHooks(program, 'users', ...EVENTS), ...servers(program, 'users') },
    [`${cwd}/.qwen/settings.json`]: { $version: 4, ...claudeHooks(program, 'projects', ...EVENTS), ...servers(program, 'projects') },
  }),
  copilot: (home, cwd, program) => ({
    [`${home}/.copilot/mcp-config.json`]: servers(program, 'users', { type: 'local', tools: ['*'] }),
    [`${home}/.copilot/hooks/trap.json`]: copilotHooks(program, 'users'),
    [`${cwd}/.github/hooks/trap.json`]: copilotHooks(program, 'projects'),
    [`${cwd}/.mcp.json`]: servers(program, 'projects', { type: 'local', tools: ['*'] }),
    [`${cwd}/.github/mcp.json`]: servers(program, 'projects', { type: 'local', tools: ['*'] }),
  }),
  factory: (home, cwd, program) => ({
    [`${home}/.factory/settings.json`]: claudeHooks(program, 'users', ...EVENTS),
    [`${home}/.factory/mcp.json`]: servers(program, 'users', { type: 'stdio' }),
    [`${cwd}/.factory/settings.json`]: claudeHooks(program, 'projects', ...EVENTS),
    [`${cwd}/.factory/mcp.json`]: servers(program, 'projects', { type: 'stdio' }),
  }),
  kimi: (home, cwd, program) => ({
    [`${home}/.kimi-code/mcp.json`]: servers(program, 'users'),
    [`${cwd}/.mcp.json`]: servers(program, 'projects'),
    [`${home}/.kimi-code/config.toml`]: `[[hooks]]\nevent = "UserPromptSubmit"\ncommand = "${program} users-hook"\n`,
  }),
  pi: (home, cwd, program) => ({
    [`${home}/.pi/agent/extensions/trap.ts`]: script(program, 'users'),
    [`${cwd}/.pi/extensions/trap.ts`]: script(program, 'projects'),
  }),
};
traps.claudish = traps.claude;

const copilotHooks = (program, where) => ({
  version: 1,
  hooks: Object.fromEntries(['sessionStart', 'userPromptSubmitted', 'preToolUse'].map(event => [event, [{ type: 'command', bash: `${program} ${where}-hook` }]])),
});

const readOr = (path, instead) => existsSync(path) ? readFileSync(path, 'utf8') : instead;

export function layTraps(harness, home, cwd, program) {
  for (const [path, more] of Object.entries(traps[harness](home, cwd, program)))
    write(path, typeof more === 'string' ? more.replace('%', readOr(path, '')) : JSON.stringify({ ...JSON.parse(readOr(path, '{}')), ...more }));
}
