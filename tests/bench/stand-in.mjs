// A stand-in for the vendor of a CLI, in a process of its own: its work is not to delay the one that measures.
//
//   node stand-in.mjs codex         prints where it is
//   node stand-in.mjs codex tools   its model calls a tool of the caller's, and answers when it has the result

import { clis } from '../e2e/clis.mjs';

export const ANSWER = 'Hello to you.', RESULT = 'it-rains-in-Rome';

if (process.argv[1] === import.meta.filename) {
  const [name, what] = process.argv.slice(2);
  const cli = clis[name];
  const calls = ({ raw }) => raw.includes(RESULT) ? { text: ANSWER } : { toolUse: { ...cli.call('weather'), input: { city: 'Rome' } } };
  const cloud = await cli.start();
  console.log(cloud.always(what === 'tools' ? calls : { text: ANSWER }).url);
  setInterval(() => { cloud.requests.length = cloud.sideRequests.length = 0; }, 1000);
}
