// A stand-in for the vendor of a CLI, in a process of its own: its work is not to delay the one that measures.
//
//   node stand-in.mjs codex       prints where it is

import { clis } from '../e2e/clis.mjs';

const cloud = await clis[process.argv[2]].start();
console.log(cloud.always({ text: 'Hello to you.' }).url);
setInterval(() => { cloud.requests.length = cloud.sideRequests.length = 0; }, 1000);
