// Claude Code as another version of it might be: the real one, which says that it is version 1.0.0 and does not hear
// of the fields that make a prompt's text inert.
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const CLAUDE = resolve(import.meta.dirname, '../node_modules/@anthropic-ai/claude-code-linux-x64/claude');
const claude = spawn(CLAUDE, process.argv.slice(2), { stdio: ['pipe', 'pipe', 'inherit'] });
const passes = (from, to, change) => createInterface({ input: from }).on('line', line => to.write(`${change(line)}\n`));

passes(process.stdin, claude.stdin, line => line.replaceAll(/,"(client_composed|text_not_typed)":true/g, '')).on('close', () => claude.stdin.end());
passes(claude.stdout, process.stdout, line => line.replaceAll(/"claude_code_version":"[^"]*"/g, '"claude_code_version":"1.0.0"'));
claude.stdin.on('error', () => {});
claude.on('exit', (code, signal) => signal ? process.kill(process.pid, signal) : process.exitCode = code);
